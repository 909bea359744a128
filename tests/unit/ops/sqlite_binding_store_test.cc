#include "controlplane/ops/sqlite_binding_store.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/support/temporary_folder.h"

namespace linegate::ops {
namespace {

using registrar::Binding;
using std::chrono::hours;
using std::chrono::seconds;
using std::chrono::system_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SqliteBindingStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteBindingStore> Open() {
    auto store = SqliteBindingStore::Open(path_, [this] { return clocks_; });
    EXPECT_TRUE(store) << store.error().message();
    return std::move(*store);
  }
  Binding MakeBinding(const std::string& token, int lifetime_s = 600) const {
    return {.token = token,
            .aor = "sip:1001@lab.example",
            .contact_uri = "sip:x@y.invalid;transport=ws",
            .instance = "\"<urn:uuid:1>\"",
            .call_id = "abc",
            .cseq = 0xfffffffe,
            .q_milli = 1000,
            .expires_at = clocks_.monotonic + seconds(lifetime_s)};
  }
  static std::vector<std::string> Tokens(const std::vector<Binding>& bindings) {
    std::vector<std::string> tokens;
    for (const Binding& binding : bindings) tokens.push_back(binding.token);
    return tokens;
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_.path() / "bindings.sqlite";
  ClockReading clocks_{TimePoint(hours(5)), system_clock::from_time_t(1'800'000'000)};
};

TEST_F(SqliteBindingStoreTest, KeepsEveryFieldOverARestart) {
  const Binding binding = MakeBinding("t1");
  ASSERT_TRUE(Open()->Put(binding));
  EXPECT_EQ(Open()->FindByToken("t1", clocks_.monotonic), binding);
}

TEST_F(SqliteBindingStoreTest, ExpiryFollowsTheWallClockOverAReboot) {
  ASSERT_TRUE(Open()->Put(MakeBinding("t1", 600)));
  clocks_ = {TimePoint(seconds(30)),
             clocks_.wall + seconds(100)};  // a young boot: the monotonic clock starts again
  auto store = Open();
  EXPECT_EQ(store->FindByToken("t1", clocks_.monotonic)->expires_at, clocks_.monotonic + seconds(500));
  EXPECT_FALSE(store->FindByToken("t1", clocks_.monotonic + seconds(500)));
}

TEST_F(SqliteBindingStoreTest, OrdersByPreferenceThenAge) {
  auto store = Open();
  Binding old = MakeBinding("z-old"), young = MakeBinding("a-young"), preferred = MakeBinding("m");
  old.q_milli = young.q_milli = 500;
  for (const Binding& binding : {old, young, preferred, old}) ASSERT_TRUE(store->Put(binding));
  EXPECT_THAT(Tokens(store->FindByAor(old.aor, clocks_.monotonic)), ElementsAre("m", "z-old", "a-young"));
  store.reset();
  EXPECT_THAT(Tokens(Open()->FindByAor(old.aor, clocks_.monotonic)), ElementsAre("m", "z-old", "a-young"));
}

TEST_F(SqliteBindingStoreTest, PutReplacesTheBindingOfTheToken) {
  auto store = Open();
  ASSERT_TRUE(store->Put(MakeBinding("t1")));
  Binding moved = MakeBinding("t1", 1200);
  moved.aor = "sip:1002@lab.example";
  ASSERT_TRUE(store->Put(moved));
  EXPECT_EQ(store->size(), 1u);
  EXPECT_THAT(store->FindByAor("sip:1001@lab.example", clocks_.monotonic), IsEmpty());
  EXPECT_EQ(store->FindByToken("t1", clocks_.monotonic), moved);
}

TEST_F(SqliteBindingStoreTest, RemovedOnesStayAway) {
  auto store = Open();
  ASSERT_TRUE(store->Put(MakeBinding("t1")));
  ASSERT_TRUE(store->Put(MakeBinding("t2")));
  store->Remove("t1");
  store->Remove("never there");
  EXPECT_THAT(Tokens(store->All(clocks_.monotonic)), ElementsAre("t2"));
  store.reset();
  EXPECT_THAT(Tokens(Open()->All(clocks_.monotonic)), ElementsAre("t2"));
}

TEST_F(SqliteBindingStoreTest, ExpiredOnesAreHiddenThenRemoved) {
  auto store = Open();
  for (const auto& [token, lifetime_s] : {std::pair("t1", 10), {"t2", 20}, {"t3", 30}}) {
    ASSERT_TRUE(store->Put(MakeBinding(token, lifetime_s)));
  }
  const TimePoint later = clocks_.monotonic + seconds(20);
  EXPECT_THAT(Tokens(store->FindByAor("sip:1001@lab.example", later)), ElementsAre("t3"));
  EXPECT_THAT(Tokens(store->All(later)), ElementsAre("t3"));
  EXPECT_EQ(store->size(), 3u);
  EXPECT_THAT(store->RemoveExpired(later), ElementsAre("t1", "t2"));
  EXPECT_THAT(store->RemoveExpired(later), IsEmpty());
  EXPECT_EQ(store->failed_removals(), 0u);
  store.reset();
  EXPECT_EQ(Open()->size(), 1u);
}

TEST_F(SqliteBindingStoreTest, HostileTextIsData) {
  Binding binding = MakeBinding("'; DROP TABLE binding; --");
  binding.contact_uri = std::string("nul\0inside", 10);
  binding.instance = "";
  ASSERT_TRUE(Open()->Put(binding));
  EXPECT_EQ(Open()->FindByToken(binding.token, clocks_.monotonic), binding);
}

TEST_F(SqliteBindingStoreTest, SecondControlPlaneIsRefused) {
  auto store = Open();
  ASSERT_TRUE(store->Put(MakeBinding("t1")));
  const auto second = SqliteBindingStore::Open(path_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message(), HasSubstr("bindings.sqlite"));
}

TEST_F(SqliteBindingStoreTest, ForeignOrNewerFilesAreRefusedByName) {
  folder_.Write("bindings.sqlite", std::string(4096, 'x'));
  const auto foreign = SqliteBindingStore::Open(path_);
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().message(), HasSubstr("bindings.sqlite"));
  EXPECT_FALSE(SqliteBindingStore::Open("/nonexistent/bindings.sqlite"));
}

TEST_F(SqliteBindingStoreTest, FilesAreForTheOwnerAlone) {
  auto store = Open();
  ASSERT_TRUE(store->Put(MakeBinding("t1")));
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    struct stat facts = {};
    ASSERT_EQ(stat(entry.path().c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0600u) << entry.path();
  }
}

}  // namespace
}  // namespace linegate::ops
