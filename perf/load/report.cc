#include "perf/load/report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace linegate::load {
namespace {

double Microseconds(const Report& report, double fraction) {
  return double(report.loaded.latency.Quantile(fraction)) / report.tsc_hz * 1e6;
}

}  // namespace

std::string ToJson(const Report& report) {
  const SearchResult& search = report.search;
  nlohmann::ordered_json json;
  json["name"] = report.name;
  json["mpps"] = search.rate_pps / 1e6;
  json["loss"] = search.loss;
  json["cycles_per_packet"] = search.rate_pps > 0 ? report.tsc_hz / search.rate_pps : 0;
  json["zero_loss_mpps"] = search.zero_loss_pps / 1e6;
  json["p50_us"] = Microseconds(report, 0.5);
  json["p99_us"] = Microseconds(report, 0.99);
  json["p999_us"] = Microseconds(report, 0.999);
  json["max_us"] = double(report.loaded.latency.max()) / report.tsc_hz * 1e6;
  json["latency_at_mpps"] = report.loaded.summary.offered_pps / 1e6;
  json["flood_mpps"] = search.flood_pps / 1e6;
  json["flood_best_mpps"] = search.flood_best_pps / 1e6;
  json["generator_peak_mpps"] = search.generator_peak_pps / 1e6;
  json["generator_limited"] = search.generator_limited;
  json["repeated_trials"] = search.repeated_trials;
  for (const TrialSummary& trial : search.confirmations) {
    json["confirmations"].push_back(
        {{"mpps", trial.received_pps / 1e6}, {"loss", trial.loss}, {"disturbed", trial.disturbed}});
  }
  for (const CurvePoint& point : report.curve) {
    json["curve"].push_back(
        {{"mpps", point.offered_pps / 1e6}, {"p50_us", point.p50_us}, {"p99_us", point.p99_us}});
  }
  json["core_distance_cycles"] = report.core_distance;
  json["measured_seconds"] = report.seconds;
  json["wall_seconds"] = report.wall_seconds;
  json["stalls"] = report.stalls;
  json["own_gap_us"] = report.loaded.own_gap_us;
  json["device_gap_us"] = report.loaded.device_gap_us;
  json["checked_packets"] = report.checked;
  json["bad_packets"] = report.bad;
  return json.dump();
}

std::string ToText(const TrialResult& trial, double rate_pps) {
  char text[384];
  std::snprintf(
      text, sizeof text,
      "asked %.3f, offered %.3f, passed %.3f Mpps in %.2f s: loss %.6f; lost %llu, not taken %llu; %u "
      "stalls, longest turn %.0f us, longest silence %.0f us; worker: %.1f packets a busy turn, %.0f %% of "
      "turns idle",
      rate_pps / 1e6, trial.summary.offered_pps / 1e6, trial.summary.received_pps / 1e6, trial.seconds,
      trial.summary.loss, static_cast<unsigned long long>(trial.lost),
      static_cast<unsigned long long>(trial.not_taken), trial.stalls, trial.own_gap_us, trial.device_gap_us,
      double(trial.worker.received) / double(std::max<uint64_t>(trial.worker.busy, 1)),
      100.0 * double(trial.worker.idle) /
          double(std::max<uint64_t>(trial.worker.busy + trial.worker.idle, 1)));
  return text;
}

std::string ToText(const Report& report) {
  char text[512];
  const SearchResult& search = report.search;
  std::snprintf(
      text, sizeof text,
      "%s\n  %.3f Mpps, loss %.6f, %.0f cycles per packet; zero loss at %.3f Mpps; flooded %.3f (best %.3f) "
      "of %.3f "
      "Mpps%s\n"
      "  at %.3f Mpps: p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us; %llu of %llu checked packets "
      "bad; %llu stalls in %.1f s (%.1f s count), %u trials repeated",
      report.name.c_str(), search.rate_pps / 1e6, search.loss,
      search.rate_pps > 0 ? report.tsc_hz / search.rate_pps : 0, search.zero_loss_pps / 1e6,
      search.flood_pps / 1e6, search.flood_best_pps / 1e6, search.generator_peak_pps / 1e6,
      search.generator_limited ? " (the generator is the limit)" : "",
      report.loaded.summary.offered_pps / 1e6, Microseconds(report, 0.5), Microseconds(report, 0.99),
      Microseconds(report, 0.999), double(report.loaded.latency.max()) / report.tsc_hz * 1e6,
      static_cast<unsigned long long>(report.bad), static_cast<unsigned long long>(report.checked),
      static_cast<unsigned long long>(report.stalls), report.wall_seconds, report.seconds,
      search.repeated_trials);
  return text;
}

}  // namespace linegate::load
