#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "controlplane/registrar/binding_store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace linegate::ops {

/// Both clocks, read together. Expiry times are kept on disk as wall-clock time, so that they survive a
/// reboot.
struct ClockReading {
  TimePoint monotonic;
  std::chrono::system_clock::time_point wall;
};
using ClockReader = std::function<ClockReading()>;
ClockReading ReadSystemClocks();

/// Theory of operation
/// Bindings in one SQLite file (design D9). Everything is in memory, as the registrar reads on each call; the
/// file is read once at start and written through before Put returns. Write-ahead log, synchronous = NORMAL:
/// a killed process loses nothing, a power cut may lose the last moments, which the phones' next refresh
/// repairs. Locked exclusively: a second control plane on the same directory does not start. Mode 0600: it
/// names people.
class SqliteBindingStore final : public registrar::BindingStore {
 public:
  /// Errors: cannot be created or opened, in use by another process, not a database, or of a newer Linegate.
  static Result<std::unique_ptr<SqliteBindingStore>> Open(const std::string& path,
                                                          ClockReader clocks = &ReadSystemClocks);
  ~SqliteBindingStore() override;

  std::vector<registrar::Binding> FindByAor(std::string_view aor, TimePoint now) const override;
  std::optional<registrar::Binding> FindByToken(std::string_view token, TimePoint now) const override;
  Status Put(const registrar::Binding& binding) override;
  void Remove(std::string_view token) override;
  std::vector<std::string> RemoveExpired(TimePoint now) override;
  std::vector<registrar::Binding> All(TimePoint now) const override;
  size_t size() const override { return records_.size(); }
  /// Removals that did not reach the file: such a binding comes back at the next start, until it expires.
  uint64_t failed_removals() const { return failed_removals_; }

 private:
  struct Record {
    registrar::Binding binding;
    uint64_t age_rank;  ///< smaller: older; kept over refreshes
  };
  struct DatabaseClose {
    void operator()(sqlite3* database) const;
  };
  struct StatementFinalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, StatementFinalize>;

  explicit SqliteBindingStore(ClockReader clocks) : clocks_(std::move(clocks)) {}
  Status OpenDatabase(const std::string& path);
  Status Execute(const char* sql);
  Result<Statement> Prepare(const char* sql);
  Status LoadAll();
  void Remember(const registrar::Binding& binding);
  void Forget(const std::string& token);
  void DeleteRow(const std::string& token);
  Unexpected<Error> DatabaseError(const std::string& what) const;

  ClockReader clocks_;
  std::unique_ptr<sqlite3, DatabaseClose> database_;
  Statement put_, remove_;
  std::unordered_map<std::string, Record> records_;  ///< by token
  std::map<std::string, std::set<std::string>, std::less<>> tokens_of_aor_;
  std::set<std::pair<TimePoint, std::string>> by_expiry_;
  uint64_t last_age_rank_ = 0;
  uint64_t failed_removals_ = 0;
};

}  // namespace linegate::ops
