#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "dataplane/abi/link_region.h"

namespace linegate::abi {
namespace {

using ::testing::HasSubstr;

class RegionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/linegate_region.XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    directory_ = pattern;
    path_ = directory_ + "/link";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  Result<Region> Create(bool* existing) { return Region::Create(path_, kBytes, 0600, identity_, existing); }

  static constexpr size_t kBytes = 64 << 10;
  std::string directory_, path_;
  RegionIdentity identity_{kLinkMagic, 77, 2, 64, 16};
};

TEST_F(RegionTest, IsInvisibleUntilPublished) {
  bool existing = true;
  auto owner = Create(&existing);
  ASSERT_TRUE(owner) << owner.error().message();
  EXPECT_FALSE(existing);
  auto early = Region::Attach(path_, identity_);
  ASSERT_FALSE(early);
  EXPECT_THAT(early.error().message(), HasSubstr("not ready"));
  owner->Publish(identity_);
  EXPECT_TRUE(Region::Attach(path_, identity_));
}

TEST_F(RegionTest, IsReadableByItsOwnerAlone) {
  bool existing;
  auto owner = Create(&existing);
  struct stat st;
  ASSERT_EQ(stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
}

TEST_F(RegionTest, ASecondOwnerIsRefused) {
  bool existing;
  auto owner = Create(&existing);
  auto second = Create(&existing);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message(), HasSubstr("another dataplane"));
}

TEST_F(RegionTest, ContentsSurviveTheOwnerAndAreAdopted) {
  bool existing;
  {
    auto owner = Create(&existing);
    owner->Publish(identity_);
    owner->data()[5000] = 42;
  }
  auto next = Create(&existing);
  ASSERT_TRUE(next);
  EXPECT_TRUE(existing);
  EXPECT_EQ(next->data()[5000], 42);
}

TEST_F(RegionTest, AnotherConfigurationStartsFromZero) {
  bool existing;
  {
    auto owner = Create(&existing);
    owner->Publish(identity_);
    owner->data()[5000] = 42;
  }
  identity_.config_hash = 78;
  auto next = Create(&existing);
  EXPECT_FALSE(existing);
  EXPECT_EQ(next->data()[5000], 0);
  auto reader = Region::Attach(path_, identity_);
  EXPECT_FALSE(reader);
}

TEST_F(RegionTest, AttachNamesWhatDiffers) {
  bool existing;
  auto owner = Create(&existing);
  owner->Publish(identity_);
  RegionIdentity other = identity_;
  other.config_hash = 1;
  EXPECT_THAT(Region::Attach(path_, other).error().message(), HasSubstr("another configuration"));
  other = identity_;
  other.relays_per_worker = 32;
  EXPECT_THAT(Region::Attach(path_, other).error().message(), HasSubstr("another configuration"));
  owner->header()->size_table[3] += 8;
  EXPECT_THAT(Region::Attach(path_, identity_).error().message(), HasSubstr("mixed builds"));
  FillSizeTable(owner->header()->size_table);
  owner->header()->boot_id[0] ^= 1;
  EXPECT_THAT(Region::Attach(path_, identity_).error().message(), HasSubstr("another boot"));
  owner->header()->boot_id[0] ^= 1;
  owner->header()->version.store(uint32_t(kAbiMajor + 1) << 16);
  EXPECT_THAT(Region::Attach(path_, identity_).error().message(), HasSubstr("ABI version"));
}

TEST_F(RegionTest, DestroyLeavesNoFileBehind) {
  bool existing;
  auto owner = Create(&existing);
  owner->Publish(identity_);
  owner->Destroy();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST(LinkLayout, PartsDoNotOverlap) {
  const LinkLayout layout(3, 128, 32);
  for (uint32_t w = 0; w < 3; ++w) {
    EXPECT_EQ(layout.command_ring(w) % 128, 0u);
    EXPECT_EQ(layout.counters(w) % 128, 0u);
    EXPECT_EQ(layout.event_ring(w), layout.command_ring(w) + RingBytes(kCommandRingBytes));
    EXPECT_EQ(layout.flow_stats(w), layout.counters(w) + sizeof(WorkerCounters));
    EXPECT_EQ(layout.relay_stats(w), layout.flow_stats(w) + 128 * sizeof(FlowStats));
    const uint64_t end = layout.relay_stats(w) + 32 * sizeof(RelayStats);
    EXPECT_LE(end, w + 1 < 3 ? layout.command_ring(w + 1) : layout.total_bytes());
  }
}

}  // namespace
}  // namespace linegate::abi
