#include "controlplane/ops/sqlite_binding_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace linegate::ops {
namespace {

using registrar::Binding;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::system_clock;

constexpr int kSchemaVersion = 1;
constexpr char kSchema[] =
    "CREATE TABLE IF NOT EXISTS binding ("
    " age_rank INTEGER PRIMARY KEY AUTOINCREMENT,"
    " token TEXT NOT NULL UNIQUE,"
    " aor TEXT NOT NULL,"
    " contact_uri TEXT NOT NULL,"
    " instance TEXT NOT NULL,"
    " call_id TEXT NOT NULL,"
    " cseq INTEGER NOT NULL,"
    " q_milli INTEGER NOT NULL,"
    " expires_unix_ms INTEGER NOT NULL) STRICT;"
    "PRAGMA user_version = 1;";
// A refresh keeps the row, and with it the age.
constexpr char kPut[] =
    "INSERT INTO binding (token, aor, contact_uri, instance, call_id, cseq, q_milli, expires_unix_ms)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (token) DO UPDATE SET aor = ?2, contact_uri = ?3,"
    " instance = ?4, call_id = ?5, cseq = ?6, q_milli = ?7, expires_unix_ms = ?8";
constexpr char kSelect[] =
    "SELECT token, aor, contact_uri, instance, call_id, cseq, q_milli, expires_unix_ms FROM binding ORDER BY "
    "age_rank";

int64_t ToUnixMs(TimePoint time, const ClockReading& now) {
  return duration_cast<milliseconds>(now.wall.time_since_epoch() + (time - now.monotonic)).count();
}
TimePoint FromUnixMs(int64_t unix_ms, const ClockReading& now) {
  return now.monotonic + duration_cast<Duration>(milliseconds(unix_ms) - now.wall.time_since_epoch());
}

/// The bytes need not live on: SQLite copies them (SQLITE_TRANSIENT).
void BindText(sqlite3_stmt* statement, int index, std::string_view text) {
  sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

std::string ColumnText(sqlite3_stmt* statement, int index) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
  return text == nullptr ? std::string() : std::string(text, size_t(sqlite3_column_bytes(statement, index)));
}

/// Runs a statement that returns no rows, and leaves it ready for the next time.
bool RunOnce(sqlite3_stmt* statement) {
  const int result = sqlite3_step(statement);
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  return result == SQLITE_DONE;
}

}  // namespace

ClockReading ReadSystemClocks() { return {MonotonicNow(), system_clock::now()}; }

void SqliteBindingStore::DatabaseClose::operator()(sqlite3* database) const { sqlite3_close_v2(database); }
void SqliteBindingStore::StatementFinalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}
SqliteBindingStore::~SqliteBindingStore() = default;

Result<std::unique_ptr<SqliteBindingStore>> SqliteBindingStore::Open(const std::string& path,
                                                                     ClockReader clocks) {
  std::unique_ptr<SqliteBindingStore> store(new SqliteBindingStore(std::move(clocks)));
  if (auto opened = store->OpenDatabase(path); !opened)
    return MakeUnexpected(std::move(opened).error().WithContext(path));
  if (auto loaded = store->LoadAll(); !loaded)
    return MakeUnexpected(std::move(loaded).error().WithContext(path));
  return store;
}

Unexpected<Error> SqliteBindingStore::DatabaseError(const std::string& what) const {
  return Fail(what + ": " + sqlite3_errmsg(database_.get()));
}

Status SqliteBindingStore::Execute(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return DatabaseError(sql);
  return {};
}

Result<SqliteBindingStore::Statement> SqliteBindingStore::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr) != SQLITE_OK)
    return DatabaseError("prepare");
  return Statement(statement);
}

Status SqliteBindingStore::OpenDatabase(const std::string& path) {
  // SQLite would create it with the umask's mode; its -wal file copies the mode it finds.
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Fail(std::strerror(errno));
  close(fd);
  sqlite3* database = nullptr;
  const int opened =
      sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, nullptr);
  database_.reset(database);
  if (opened != SQLITE_OK) return DatabaseError("open");
  for (const char* pragma :
       {"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL"}) {
    if (auto done = Execute(pragma); !done) return done;
  }
  auto version = Prepare("PRAGMA user_version");
  if (!version) return MakeUnexpected(std::move(version).error());
  sqlite3_step(version->get());
  const int found = sqlite3_column_int(version->get(), 0);
  version->reset();
  if (found > kSchemaVersion)
    return Fail("written by a newer version (schema " + std::to_string(found) + ")");
  if (auto done = Execute(kSchema); !done) return done;
  auto put = Prepare(kPut), remove = Prepare("DELETE FROM binding WHERE token = ?1");
  if (!put) return MakeUnexpected(std::move(put).error());
  if (!remove) return MakeUnexpected(std::move(remove).error());
  put_ = std::move(*put), remove_ = std::move(*remove);
  return {};
}

Status SqliteBindingStore::LoadAll() {
  auto select = Prepare(kSelect);
  if (!select) return MakeUnexpected(std::move(select).error());
  const ClockReading now = clocks_();
  int result;
  while ((result = sqlite3_step(select->get())) == SQLITE_ROW) {
    sqlite3_stmt* row = select->get();
    Binding binding;
    binding.token = ColumnText(row, 0);
    binding.aor = ColumnText(row, 1);
    binding.contact_uri = ColumnText(row, 2);
    binding.instance = ColumnText(row, 3);
    binding.call_id = ColumnText(row, 4);
    binding.cseq = uint32_t(sqlite3_column_int64(row, 5));
    binding.q_milli = uint16_t(sqlite3_column_int(row, 6));
    binding.expires_at = FromUnixMs(sqlite3_column_int64(row, 7), now);
    Remember(binding);
  }
  if (result != SQLITE_DONE) return DatabaseError("read");
  return {};
}

void SqliteBindingStore::Remember(const Binding& binding) {
  auto [found, is_new] = records_.try_emplace(binding.token);
  Record& record = found->second;
  if (is_new) {
    record.age_rank = ++last_age_rank_;
  } else {
    by_expiry_.erase({record.binding.expires_at, binding.token});
    if (record.binding.aor != binding.aor) tokens_of_aor_[record.binding.aor].erase(binding.token);
  }
  record.binding = binding;
  tokens_of_aor_[binding.aor].insert(binding.token);
  by_expiry_.emplace(binding.expires_at, binding.token);
}

void SqliteBindingStore::Forget(const std::string& token) {
  const auto found = records_.find(token);
  if (found == records_.end()) return;
  const Binding& binding = found->second.binding;
  by_expiry_.erase({binding.expires_at, token});
  const auto tokens = tokens_of_aor_.find(binding.aor);
  tokens->second.erase(token);
  if (tokens->second.empty()) tokens_of_aor_.erase(tokens);
  records_.erase(found);
}

Status SqliteBindingStore::Put(const Binding& binding) {
  sqlite3_stmt* put = put_.get();
  BindText(put, 1, binding.token);
  BindText(put, 2, binding.aor);
  BindText(put, 3, binding.contact_uri);
  BindText(put, 4, binding.instance);
  BindText(put, 5, binding.call_id);
  sqlite3_bind_int64(put, 6, binding.cseq);
  sqlite3_bind_int(put, 7, binding.q_milli);
  sqlite3_bind_int64(put, 8, ToUnixMs(binding.expires_at, clocks_()));
  if (!RunOnce(put)) return DatabaseError("store registration");
  Remember(binding);
  return {};
}

void SqliteBindingStore::DeleteRow(const std::string& token) {
  BindText(remove_.get(), 1, token);
  if (!RunOnce(remove_.get())) ++failed_removals_;
}

void SqliteBindingStore::Remove(std::string_view token) {
  const std::string copy(token);  // may be a view into the record
  if (!records_.contains(copy)) return;
  DeleteRow(copy);
  Forget(copy);
}

std::vector<std::string> SqliteBindingStore::RemoveExpired(TimePoint now) {
  std::vector<std::string> removed;
  for (auto next = by_expiry_.begin(); next != by_expiry_.end() && next->first <= now; ++next)
    removed.push_back(next->second);
  if (removed.empty()) return removed;
  const bool in_transaction = bool(Execute("BEGIN"));  // one write for all; without it each is its own
  for (const std::string& token : removed) {
    DeleteRow(token);
    Forget(token);
  }
  if (in_transaction && !Execute("COMMIT")) {
    failed_removals_ += removed.size();
    [[maybe_unused]] auto ignored = Execute("ROLLBACK");
  }
  return removed;
}

std::vector<Binding> SqliteBindingStore::FindByAor(std::string_view aor, TimePoint now) const {
  const auto tokens = tokens_of_aor_.find(aor);
  if (tokens == tokens_of_aor_.end()) return {};
  std::vector<const Record*> found;
  for (const std::string& token : tokens->second) {
    const Record& record = records_.at(token);
    if (record.binding.expires_at > now) found.push_back(&record);
  }
  std::sort(found.begin(), found.end(), [](const Record* a, const Record* b) {
    return a->binding.q_milli != b->binding.q_milli ? a->binding.q_milli > b->binding.q_milli
                                                    : a->age_rank < b->age_rank;
  });
  std::vector<Binding> bindings;
  for (const Record* record : found) bindings.push_back(record->binding);
  return bindings;
}

std::optional<Binding> SqliteBindingStore::FindByToken(std::string_view token, TimePoint now) const {
  const auto found = records_.find(std::string(token));
  if (found == records_.end() || found->second.binding.expires_at <= now) return std::nullopt;
  return found->second.binding;
}

std::vector<Binding> SqliteBindingStore::All(TimePoint now) const {
  std::vector<Binding> bindings;
  for (const auto& [aor, tokens] : tokens_of_aor_) {
    for (const std::string& token : tokens) {
      const Binding& binding = records_.at(token).binding;
      if (binding.expires_at > now) bindings.push_back(binding);
    }
  }
  return bindings;
}

}  // namespace linegate::ops
