#include "controlplane/net/http_static_site.h"

#include <array>
#include <filesystem>
#include <fstream>

namespace linegate::net {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kContentTypes{{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".webp", "image/webp"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
    {".wav", "audio/wav"},
    {".mp3", "audio/mpeg"},
    {".webmanifest", "application/manifest+json"},
}};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsHidden(const fs::path& path) { return path.filename().native().starts_with('.'); }

Result<std::string> ReadFile(const fs::path& path, size_t limit_bytes) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return Fail(path.string() + ": " + error.message());
  if (size > limit_bytes)
    return Fail(path.string() + ": the site is larger than " + std::to_string(StaticSite::kMaxBytes) +
                " bytes");
  std::string body(size, '\0');
  std::ifstream stream(path, std::ios::binary);
  if (!stream.read(body.data(), std::streamsize(size))) return Fail(path.string() + ": cannot be read");
  return body;
}

}  // namespace

Result<StaticSite> StaticSite::Load(const std::string& root) {
  std::error_code error;
  if (!fs::is_directory(root, error)) return Fail(root + ": not a folder");
  StaticSite site;
  size_t total_bytes = 0;
  fs::recursive_directory_iterator walk(root, error), end;
  if (error) return Fail(root + ": " + error.message());
  for (; walk != end; walk.increment(error)) {
    const fs::directory_entry& entry = *walk;
    if (IsHidden(entry.path())) {
      if (entry.is_directory(error)) walk.disable_recursion_pending();
      continue;
    }
    if (entry.is_symlink(error) || !entry.is_regular_file(error)) continue;
    if (site.files_.size() == kMaxFiles)
      return Fail(root + ": more than " + std::to_string(kMaxFiles) + " files");
    auto body = ReadFile(entry.path(), kMaxBytes - total_bytes);
    if (!body) return MakeUnexpected(std::move(body).error());
    total_bytes += body->size();
    const std::string path = "/" + entry.path().lexically_relative(root).generic_string();
    site.Put(path, {std::string(ContentTypeOf(path)), std::move(*body)});
  }
  if (error) return Fail(root + ": " + error.message());
  return site;
}

void StaticSite::Put(std::string path, StaticFile file) {
  generated_.erase(path);
  files_.insert_or_assign(std::move(path), std::make_shared<const StaticFile>(std::move(file)));
}

void StaticSite::PutGenerated(std::string path, std::function<StaticFile()> generate) {
  files_.erase(path);
  generated_.insert_or_assign(std::move(path), std::move(generate));
}

std::shared_ptr<const StaticFile> StaticSite::Find(std::string_view target) const {
  target = target.substr(0, target.find_first_of("?#"));
  if (!target.starts_with('/')) return nullptr;
  auto path = DecodePercent(target);
  if (!path) return nullptr;
  if (path->ends_with('/')) *path += "index.html";
  if (const auto made = generated_.find(*path); made != generated_.end()) {
    return std::make_shared<const StaticFile>(made->second());
  }
  const auto found = files_.find(*path);
  return found == files_.end() ? nullptr : found->second;
}

std::string_view ContentTypeOf(std::string_view path) {
  const std::string_view suffix = path.substr(std::min(path.size(), path.rfind('.')));
  for (const auto& [known, type] : kContentTypes) {
    if (suffix == known) return type;
  }
  return "application/octet-stream";
}

std::optional<std::string> DecodePercent(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned char octet = static_cast<unsigned char>(text[i]);
    if (octet == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]), low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      octet = static_cast<unsigned char>(high * 16 + low);
      i += 2;
    }
    if (octet < 0x20 || octet == 0x7f) return std::nullopt;
    decoded += static_cast<char>(octet);
  }
  return decoded;
}

}  // namespace linegate::net
