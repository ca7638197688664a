#include "core/base/log.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <thread>

#include "core/base/log_limit.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::EndsWith;
using Catch::Matchers::Matches;

// Sets the format for one test; afterwards all is as it was.
class Format {
 public:
  explicit Format(LogFormat format, LogLevel level = LogLevel::kInfo) {
    ConfigureLogs(level, format);
  }
  ~Format() { ConfigureLogs(LogLevel::kInfo, LogFormat::kAuto); }
};

TEST_CASE("text has time, level, message and fields", "[log]") {
  const Format format(LogFormat::kText);
  const CapturedLogs logs;
  Logger().Info("broker connected",
                {{"host", "127.0.0.1"}, {"vhost", "/"}, {"port", 5672}, {"tls", false}});
  CHECK_THAT(logs.text(),
             Matches("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                     "INFO  broker connected host=127.0.0.1 vhost=\"/\" port=5672 tls=false\n"));
}

TEST_CASE("JSON is one object a line", "[log]") {
  const Format format(LogFormat::kJson);
  const CapturedLogs logs;
  Logger()
      .With({{"watcher", "inbox"}})
      .Error("put failed", {{"error", Error{{}, "disk \"full\""}},
                            {"seconds", 0.25},
                            {"nan", std::nan("")},
                            {"n", std::uint16_t{7}}});
  CHECK_THAT(logs.text(),
             Matches("\\{\"ts\":\"[-0-9T:.]{23}Z\",\"level\":\"error\",\"msg\":\"put failed\","
                     "\"watcher\":\"inbox\",\"error\":\"disk \\\\\"full\\\\\"\",\"seconds\":0.25,"
                     "\"nan\":null,\"n\":7\\}\n"));
}

TEST_CASE("foreign text can't break a line, a quote or a terminal", "[log]") {
  const std::string evil = "a\nb\tc\"d\\e\x1b[2J\x7f\xff\xc3\xa4\xe2\x80\xae\xc2\x9b\xed\xa0\x80";
  {
    const Format format(LogFormat::kText);
    const CapturedLogs logs;
    Logger().Info("x", {{"v", evil}});
    CHECK_THAT(logs.text(),
               EndsWith(" x v=\"a\\nb\\tc\\\"d\\\\e\\u001b[2J\\u007f\\xff\xc3\xa4\\u202e\\u009b"
                        "\\xed\\xa0\\x80\"\n"));
  }
  {
    const Format format(LogFormat::kJson);
    const CapturedLogs logs;
    Logger().Info("x", {{"v", evil}});
    CHECK_THAT(logs.text(),
               EndsWith("\"v\":\"a\\nb\\tc\\\"d\\\\e\\u001b[2J\\u007f\\\\xff\xc3\xa4\\u202e\\u009b"
                        "\\\\xed\\\\xa0\\\\x80\"}\n"));
  }
}

TEST_CASE("an empty value and one with a space are quoted in text", "[log]") {
  const Format format(LogFormat::kText);
  const CapturedLogs logs;
  Logger().Warn("x", {{"a", ""}, {"b", "c d"}, {"e", "f=g"}});
  CHECK_THAT(logs.text(), EndsWith("WARN  x a=\"\" b=\"c d\" e=\"f=g\"\n"));
}

TEST_CASE("a very long value is cut", "[log]") {
  const CapturedLogs logs;
  Logger().Info("x", {{"v", std::string(1 << 20, 'v')}});
  CHECK(logs.text().size() < 5000);
  CHECK_THAT(logs.text(), ContainsSubstring("vvv…"));
}

TEST_CASE("events below the level are not written", "[log]") {
  const Format format(LogFormat::kText, LogLevel::kWarn);
  const CapturedLogs logs;
  Logger().Debug("one");
  Logger().Info("two");
  Logger().Warn("three");
  Logger().Error("four");
  CHECK_THAT(logs.text(), !ContainsSubstring("one") && !ContainsSubstring("two"));
  CHECK_THAT(logs.text(), ContainsSubstring("three") && ContainsSubstring("four"));
}

TEST_CASE("it can be asked whether a level is logged", "[log]") {
  for (const auto level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    SetLogLevel(level);
    for (const auto asked :
         {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
      CHECK(LogShows(asked) == (asked >= level));
    }
  }
  SetLogLevel(LogLevel::kInfo);
}

TEST_CASE("a text that comes again passes once a minute, and as no warning", "[log]") {
  LogLimit limit;
  const std::chrono::steady_clock::time_point start{};
  CHECK(limit.Pass("down", start));
  CHECK(limit.level() == LogLevel::kWarn);
  CHECK_FALSE(limit.Pass("down", start + std::chrono::seconds(59)));
  CHECK(limit.Pass("down", start + std::chrono::seconds(60)));
  CHECK(limit.level() == LogLevel::kInfo);
  CHECK(limit.Pass("worse", start + std::chrono::seconds(61)));
  CHECK(limit.level() == LogLevel::kWarn);
  limit.Reset();
  CHECK(limit.Pass("worse", start + std::chrono::seconds(62)));
  CHECK(limit.level() == LogLevel::kWarn);
}

TEST_CASE("lines of many threads don't mix", "[log]") {
  const Format format(LogFormat::kText);
  const CapturedLogs logs;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([i] {
        const auto log = Logger().With({{"thread", i}});
        for (int n = 0; n < 500; ++n) log.Info("line", {{"n", n}});
      });
    }
  }
  const auto text = logs.text();
  CHECK(std::count(text.begin(), text.end(), '\n') == 2000);
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    if (text.compare(at + 24, 18, " INFO  line thread") != 0) {
      FAIL("a torn line: " << text.substr(at, 80));
    }
  }
}

TEST_CASE("the level can be changed while threads log, and the format stays", "[log]") {
  const Format format(LogFormat::kText);
  const CapturedLogs logs;
  {
    const std::jthread other([] {
      for (int i = 0; i < 100; ++i) Logger().Debug("from afar");
    });
    SetLogLevel(LogLevel::kDebug);
    Logger().Debug("seen");
    SetLogLevel(LogLevel::kError);
    Logger().Warn("hidden");
  }
  CHECK_THAT(logs.text(), ContainsSubstring("DEBUG seen\n") && !ContainsSubstring("hidden"));
}

}  // namespace
}  // namespace tower
