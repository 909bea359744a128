#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"

namespace linegate::net {

/// One file of the site.
struct StaticFile {
  std::string content_type;
  std::string body;
};

/// Theory of operation
/// The web page, read into memory when the server starts or reloads. A request is a lookup in a table of the
/// paths that exist: no path of a stranger ever reaches the file system, no disk is read on the signalling
/// thread, and traversal
/// ("/../", "%2e%2e", NUL, symbolic links out of the root) has nothing to traverse.
///   Loaded: regular files below the root, at most kMaxFiles and kMaxBytes together.
///   Left out: names beginning with a dot, symbolic links, devices.
///   "/dir/" and "/" serve index.html of that folder. Query and fragment are ignored. Paths are
///   case-sensitive.
class StaticSite {
 public:
  static constexpr size_t kMaxFiles = 1000;
  static constexpr size_t kMaxBytes = 64 * 1024 * 1024;

  StaticSite() = default;
  /// Errors: root missing or not a folder; a file cannot be read; one of the limits exceeded.
  static Result<StaticSite> Load(const std::string& root);

  /// Adds or replaces a file that exists in memory only ("/config.json").
  void Put(std::string path, StaticFile file);
  /// Adds or replaces a file that is made anew for each request.
  void PutGenerated(std::string path, std::function<StaticFile()> generate);
  /// `target` as in the request line (RFC 9112 section 3.2, origin form). nullptr: 404. The file outlives the
  /// site.
  std::shared_ptr<const StaticFile> Find(std::string_view target) const;
  size_t file_count() const { return files_.size() + generated_.size(); }

 private:
  std::map<std::string, std::shared_ptr<const StaticFile>, std::less<>> files_;
  std::map<std::string, std::function<StaticFile()>, std::less<>> generated_;
};

/// By the file's suffix; "application/octet-stream" when unknown.
std::string_view ContentTypeOf(std::string_view path);

/// Undoes %XX (RFC 3986 section 2.1). nullopt: malformed, or an octet below 0x20 or 0x7f.
std::optional<std::string> DecodePercent(std::string_view text);

}  // namespace linegate::net
