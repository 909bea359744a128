#include "controlplane/ice/credentials.h"

#include <gtest/gtest.h>

namespace linegate::ice {
namespace {

class CountingRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = next_++;
  }

 private:
  uint8_t next_ = 0;
};

TEST(Credentials, KeepTheUfragAndAddAFreshPassword) {
  CountingRng rng;
  const Credentials first = MakeCredentials("ufragufragufra", rng);
  const Credentials second = MakeCredentials("ufragufragufra", rng);
  EXPECT_EQ(first.ufrag, "ufragufragufra");
  EXPECT_EQ(first.pwd.size(), kPwdLength);
  EXPECT_NE(first.pwd, second.pwd);
}

}  // namespace
}  // namespace linegate::ice
