#include "controlplane/net/http_static_site.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace linegate::net {
namespace {

namespace fs = std::filesystem;

class StaticSiteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/linegate-site-XXXXXX";
    base_ = mkdtemp(path);
    root_ = base_ / "web";
    Write("web/index.html", "<p>page</p>");
    Write("web/app.js", "let a;");
    Write("web/sub dir/index.html", "sub");
    Write("web/.secret", "hidden");
    Write("web/.git/config", "hidden");
    Write("key.pem", "outside");
    fs::create_symlink(base_ / "key.pem", root_ / "link.pem");
    fs::create_directory_symlink(base_, root_ / "up");
  }
  void TearDown() override { fs::remove_all(base_); }

  void Write(const std::string& path, std::string_view body) {
    fs::create_directories((base_ / path).parent_path());
    std::ofstream(base_ / path, std::ios::binary) << body;
  }

  fs::path base_, root_;
};

TEST_F(StaticSiteTest, ServesFilesWithTheirTypes) {
  auto site = StaticSite::Load(root_);
  ASSERT_TRUE(site) << site.error().message();
  EXPECT_EQ(site->file_count(), 3u);
  ASSERT_NE(site->Find("/app.js"), nullptr);
  EXPECT_EQ(site->Find("/app.js")->body, "let a;");
  EXPECT_EQ(site->Find("/app.js")->content_type, "text/javascript; charset=utf-8");
}

TEST_F(StaticSiteTest, FoldersServeTheirIndex) {
  auto site = StaticSite::Load(root_);
  ASSERT_TRUE(site);
  EXPECT_EQ(site->Find("/")->body, "<p>page</p>");
  EXPECT_EQ(site->Find("/?user=1001#top")->body, "<p>page</p>");
  EXPECT_EQ(site->Find("/sub%20dir/")->body, "sub");
}

TEST_F(StaticSiteTest, NothingOutsideTheRootIsReachable) {
  auto site = StaticSite::Load(root_);
  ASSERT_TRUE(site);
  for (const char* target : {"/../key.pem",
                             "/%2e%2e/key.pem",
                             "/..%2fkey.pem",
                             "//key.pem",
                             "/sub dir/../../key.pem",
                             "/link.pem",
                             "/up/key.pem",
                             "/.secret",
                             "/.git/config",
                             "/app.js%00.html",
                             "key.pem",
                             "",
                             "*",
                             "http://x/app.js",
                             "/%",
                             "/%2",
                             "/%zz",
                             "/app.js/",
                             "/..",
                             "/\\..\\key.pem"}) {
    EXPECT_EQ(site->Find(target), nullptr) << target;
  }
}

TEST_F(StaticSiteTest, MissingRootIsAnErrorThatNamesIt) {
  auto site = StaticSite::Load((base_ / "absent").string());
  ASSERT_FALSE(site);
  EXPECT_NE(site.error().message().find("absent"), std::string::npos);
}

TEST_F(StaticSiteTest, TooManyFilesAreRefused) {
  for (size_t i = 0; i <= StaticSite::kMaxFiles; ++i) Write("web/f" + std::to_string(i), "");
  EXPECT_FALSE(StaticSite::Load(root_));
}

TEST(StaticSite, MemoryFileHidesTheFileOfThatName) {
  StaticSite site;
  site.Put("/config.json", {"application/json", "1"});
  const auto before = site.Find("/config.json");
  site.Put("/config.json", {"application/json", "2"});
  EXPECT_EQ(site.Find("/config.json")->body, "2");
  EXPECT_EQ(before->body, "1");
}

TEST(StaticSite, GeneratedFileIsMadeForEachRequest) {
  StaticSite site;
  site.Put("/config.json", {"application/json", "old"});
  int made = 0;
  site.PutGenerated("/config.json", [&] { return StaticFile{"application/json", std::to_string(++made)}; });
  EXPECT_EQ(site.file_count(), 1u);
  EXPECT_EQ(site.Find("/config.json?x")->body, "1");
  EXPECT_EQ(site.Find("/config.json")->body, "2");
  site.Put("/config.json", {"application/json", "fixed"});
  EXPECT_EQ(site.Find("/config.json")->body, "fixed");
  EXPECT_EQ(site.file_count(), 1u);
}

TEST(ContentType, IsUnknownWithoutSuffix) {
  EXPECT_EQ(ContentTypeOf("/LICENSE"), "application/octet-stream");
  EXPECT_EQ(ContentTypeOf("/a.b/c.svg"), "image/svg+xml");
}

}  // namespace
}  // namespace linegate::net
