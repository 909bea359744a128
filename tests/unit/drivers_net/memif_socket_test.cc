#include "drivers/net/memif_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

namespace linegate::drivers {
namespace {

using ::testing::HasSubstr;

class MemifSocketTest : public ::testing::Test {
 protected:
  ~MemifSocketTest() override { unlink(path_.c_str()); }
  /// A bound socket; closing it leaves the file, as kill -9 does.
  int Bind(int type) const {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    const int fd = socket(AF_UNIX, type, 0);
    EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  bool Exists() const { return access(path_.c_str(), F_OK) == 0; }
  const std::string path_ = ::testing::TempDir() + "memif_socket_test_" + std::to_string(getpid());
};

TEST_F(MemifSocketTest, NothingThereIsFine) { EXPECT_TRUE(ClaimMemifSocket(path_)); }

TEST_F(MemifSocketTest, StaleSocketIsRemoved) {
  close(Bind(SOCK_SEQPACKET));
  ASSERT_TRUE(Exists());
  EXPECT_TRUE(ClaimMemifSocket(path_));
  EXPECT_FALSE(Exists());
}

TEST_F(MemifSocketTest, ListenerOfAnyKindIsRefusedAndKept) {
  for (int type : {SOCK_SEQPACKET, SOCK_STREAM}) {
    const int fd = Bind(type);
    ASSERT_EQ(listen(fd, 0), 0);
    const Status claimed = ClaimMemifSocket(path_);
    ASSERT_FALSE(claimed);
    EXPECT_THAT(claimed.error().message(), HasSubstr("another process listens"));
    EXPECT_TRUE(Exists());
    close(fd);
    unlink(path_.c_str());
  }
}

TEST_F(MemifSocketTest, OtherFilesAreNotTouched) {
  std::ofstream(path_) << "precious";
  EXPECT_FALSE(ClaimMemifSocket(path_));
  EXPECT_TRUE(Exists());
}

TEST_F(MemifSocketTest, PathsThatNoSocketCanHaveAreRefused) {
  for (const std::string& path : {std::string(), std::string("relative"), "/" + std::string(107, 'x')})
    EXPECT_FALSE(ClaimMemifSocket(path)) << path;
}

}  // namespace
}  // namespace linegate::drivers
