#include "dataplane/flow/hash_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace linegate::flow {
namespace {

TEST(HashIndex, AgreesWithAMapOverRandomOperations) {
  // Few hash values, so that runs collide and wrap.
  std::mt19937 random(7);
  HashIndex index(64);
  std::map<uint32_t, uint32_t> model;  // value -> hash
  for (int step = 0; step < 200'000; ++step) {
    const uint32_t value = random() % 100;
    const auto entry = model.find(value);
    if (entry != model.end()) {
      ASSERT_TRUE(index.Erase(entry->second, value));
      model.erase(entry);
    } else {
      const uint32_t hash = random() % 24 + (random() % 2) * 0xfffffff0u;
      const bool inserted = index.Insert(hash, value);
      ASSERT_EQ(inserted, model.size() < 64);
      if (inserted) model[value] = hash;
    }
    ASSERT_EQ(index.size(), model.size());
    const uint32_t probe = random() % 100;
    const auto expected = model.find(probe);
    const uint32_t hash = expected == model.end() ? random() % 24 : expected->second;
    ASSERT_EQ(index.Find(hash, [&](uint32_t v) { return v == probe; }),
              expected == model.end() ? HashIndex::kNotFound : probe);
  }
}

TEST(HashIndex, EraseOfWhatIsNotThereChangesNothing) {
  HashIndex index(4);
  EXPECT_TRUE(index.Insert(1, 10));
  EXPECT_FALSE(index.Erase(1, 11));
  EXPECT_FALSE(index.Erase(2, 10));
  EXPECT_EQ(index.size(), 1u);
}

}  // namespace
}  // namespace linegate::flow
