// Zones as the C library sees them, and files that are none.
#include "plugins/schedule/time/zone.h"

#include <stdlib.h>
#include <time.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fstream>
#include <sstream>
#include <string>

#include "plugins/schedule/time/instant.h"
#include "test/support/seeds.h"
#include "test/support/temp_dir.h"

namespace tower::schedule {
namespace {

using Catch::Matchers::ContainsSubstring;
using std::chrono::seconds;
using std::chrono::sys_seconds;

// The C library's time zone, until the end of the scope.
class LibraryZone {
 public:
  explicit LibraryZone(const std::string& name) {
    setenv("TZ", name.c_str(), 1);
    tzset();
  }
  ~LibraryZone() {
    unsetenv("TZ");
    tzset();
  }
  LibraryZone(const LibraryZone&) = delete;
  LibraryZone& operator=(const LibraryZone&) = delete;

  static seconds OffsetAt(sys_seconds time) {
    const time_t number = time.time_since_epoch().count();
    tm local{};
    REQUIRE(localtime_r(&number, &local) != nullptr);
    return seconds(local.tm_gmtoff);
  }
};

const char* const kZones[] = {
    "Europe/Berlin",     "Europe/Dublin",      "America/New_York",     "Australia/Lord_Howe",
    "America/Sao_Paulo", "Asia/Beirut",        "Africa/Cairo",         "Pacific/Apia",
    "Africa/Casablanca", "Asia/Gaza",          "America/Scoresbysund", "Asia/Kathmandu",
    "Antarctica/Troll",  "Pacific/Kiritimati", "America/St_Johns",     "Etc/GMT+12",
    "Asia/Tehran",       "Europe/London",      "America/Caracas",      "UTC"};

sys_seconds RandomTime(Chance& chance) {
  // From 1850 to 2400, so before the first change and after the last one that is listed.
  constexpr std::int64_t kFrom = -3'786'825'600, kTo = 13'569'465'600;
  return sys_seconds(seconds(
      kFrom + static_cast<std::int64_t>(chance.Seed() % static_cast<std::uint64_t>(kTo - kFrom))));
}

TEST_CASE("a zone has the offsets that the C library finds", "[schedule]") {
  for (const auto* name : kZones) {
    const LibraryZone library(std::string(":") + name);
    const auto zone = Zone::Load(name);
    CAPTURE(name);
    REQUIRE(zone);
    for (const auto seed : Seeds(300)) {
      Chance chance(seed);
      auto time = RandomTime(chance);
      CAPTURE(seed, FormatTime(time));
      const auto span = zone->At(time);
      REQUIRE(span.offset == LibraryZone::OffsetAt(time));
      REQUIRE(span.begin <= time);
      REQUIRE(time < span.end);
      // At both ends of what it says of itself.
      if (span.begin != kBeginOfTime) REQUIRE(LibraryZone::OffsetAt(span.begin) == span.offset);
      if (span.end == kEndOfTime) continue;
      REQUIRE(LibraryZone::OffsetAt(span.end - seconds(1)) == span.offset);
      REQUIRE(LibraryZone::OffsetAt(span.end) == zone->At(span.end).offset);
      REQUIRE(zone->At(span.end).begin == span.end);
    }
  }
}

TEST_CASE("a rule for all years has the offsets that the C library finds", "[schedule]") {
  const char* const rules[] = {"CET-1CEST,M3.5.0,M10.5.0/3",
                               "EST5EDT,M3.2.0,M11.1.0",
                               "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                               "IST-1GMT0,M10.5.0,M3.5.0/1",
                               "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
                               "EET-2EEST,M3.5.0/0,M10.5.0/0",
                               "IST-2IDT,M3.4.4/26,M10.5.0",
                               "XXX3YYY,J60/12:30:15,J300",
                               "XXX-5:45YYY-7,59,300/5",
                               "<+01>-1"};
  for (const auto* rule : rules) {
    const LibraryZone library(rule);
    const auto zone = PosixTz::Parse(rule);
    CAPTURE(rule);
    REQUIRE(zone);
    for (const auto seed : Seeds(300)) {
      Chance chance(seed);
      const auto time = RandomTime(chance);
      if (time < sys_seconds()) continue;  // the C library takes all these years for 1970
      CAPTURE(seed, FormatTime(time));
      const auto span = zone->At(time);
      REQUIRE(span.offset == LibraryZone::OffsetAt(time));
      if (span.end != kEndOfTime) {
        REQUIRE(LibraryZone::OffsetAt(span.end - seconds(1)) == span.offset);
        REQUIRE(LibraryZone::OffsetAt(span.end) != span.offset);
      }
    }
  }
  // Summer all year (RFC 9636, section 3.3.1), which the C library of Debian 12 does not know.
  const auto summer = PosixTz::Parse("XXX3EDT4,0/0,J365/23");
  REQUIRE(summer);
  for (const auto seed : Seeds(100)) {
    Chance chance(seed);
    CHECK(summer->At(RandomTime(chance)).offset == std::chrono::hours(-4));
  }
}

TEST_CASE("what is no rule is none", "[schedule]") {
  for (const auto* text :
       {"", "CE-1", "CET", "CET-25", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0/168",
        "CET-1CEST,J0,J9", "CET-1CEST,366,9", "<CET-1", "CET-1:60", "CET-1CEST,M3.5.0,M10.5.0 "}) {
    CAPTURE(text);
    CHECK_FALSE(PosixTz::Parse(text));
  }
}

TEST_CASE("a name of a zone leads nowhere else", "[schedule]") {
  for (const auto* name : {"UTC", "Europe/Berlin", "Etc/GMT+5", "America/Argentina/La_Rioja"}) {
    CHECK(IsZoneName(name));
  }
  for (const auto* name : {"", "/etc/passwd", "..", "../x", "Europe/../../x", "./UTC", "a//b", "a/",
                           "Europe Berlin", "a\nb", ":UTC"}) {
    CAPTURE(name);
    CHECK_FALSE(IsZoneName(name));
  }
}

TEST_CASE("UTC needs no file, and a zone that is missing says what to do", "[schedule]") {
  const TempDir folder;
  const auto fault = [&](const std::string& name, const std::string& where) {
    const auto zone = Zone::Load(name, where);
    if (zone) return std::string();
    CHECK(zone.error().code == ErrorCode::kPermanent);
    return zone.error().message;
  };
  CHECK(fault("UTC", "/nowhere").empty());
  CHECK(fault("Etc/UTC", "/nowhere").empty());
  CHECK_THAT(fault("Europe/Berlin", "/nowhere"), ContainsSubstring("time zone Europe/Berlin") &&
                                                     ContainsSubstring("no zoneinfo in /nowhere") &&
                                                     ContainsSubstring("install tzdata") &&
                                                     ContainsSubstring("use UTC"));
  folder.Write("Europe/Berlin", "TZif");
  CHECK_THAT(fault("Europe/Berln", folder / ""), ContainsSubstring("no zone of that name"));
  CHECK_THAT(fault("Europe", folder / ""), ContainsSubstring("no zone of that name"));
  CHECK_THAT(fault("Europe/Berlin", folder / ""), ContainsSubstring("not a TZif file"));
}

std::string BytesOf(const std::string& name) {
  std::ostringstream bytes;
  bytes << std::ifstream(ZoneinfoFolder() + "/" + name, std::ios::binary).rdbuf();
  return bytes.str();
}

void Append(std::string& out, std::int64_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) {
    out += static_cast<char>((static_cast<std::uint64_t>(number) >> (8U * unsigned(i))) & 0xffU);
  }
}

// A block of TZif: UTC first, then each offset from its time on.
std::string Block(char version, const std::vector<std::pair<std::int64_t, int>>& changes,
                  int leaps = 0) {
  const int time_bytes = version == '\0' ? 4 : 8;
  const auto count = static_cast<int>(changes.size());
  std::string out = std::string("TZif") + version + std::string(15, '\0');
  for (const int number : {0, 0, leaps, count, count + 1, 4}) Append(out, number, 4);
  for (const auto& change : changes) Append(out, change.first, time_bytes);
  for (int i = 0; i < count; ++i) out += static_cast<char>(i + 1);
  Append(out, 0, 6);
  for (const auto& change : changes) {
    Append(out, change.second, 4);
    Append(out, 0, 2);
  }
  out += std::string("UTC\0", 4);
  for (int i = 0; i < leaps; ++i) Append(out, 0, time_bytes + 4);
  return out;
}

TEST_CASE("files of every version are read, by the data that fits most times", "[schedule]") {
  const auto offset = [](const Result<Zone>& zone, std::int64_t time) {
    REQUIRE(zone);
    return zone->At(sys_seconds(seconds(time))).offset.count();
  };
  const auto old = Zone::Parse(Block('\0', {{-100, 3600}, {1000, 7200}}));
  CHECK(offset(old, -101) == 0);
  CHECK(offset(old, -100) == 3600);
  CHECK(offset(old, 1LL << 40) == 7200);
  const std::int64_t far = 1LL << 33;
  for (const char version : {'2', '3', '4'}) {
    const auto first = Block(version, {{5, 1}});
    auto block = first;
    block.replace(44, 8, std::string("\0\0\0\5", 4));  // times of four bytes, as in version 1
    const auto zone = Zone::Parse(block + Block(version, {{-far, 60}, {far, 7200}}) + "\nABC-1\n");
    CHECK(offset(zone, 5) == 60);
    CHECK(offset(zone, -far - 1) == 0);
    CHECK(offset(zone, far - 1) == 60);
    CHECK(offset(zone, far) == 3600);
    const auto bare = Zone::Parse(block + Block(version, {{-far, 60}, {far, 7200}}) + "\n\n");
    CHECK(offset(bare, 2 * far) == 7200);
    const auto only = Zone::Parse(block + Block(version, {}) + "\nABC-1\n");
    CHECK(offset(only, -far) == 3600);
  }
}

TEST_CASE("a file that is damaged is refused, or read, and never more", "[schedule]") {
  const auto fault = [](std::string_view bytes) {
    const auto zone = Zone::Parse(bytes);
    return zone ? std::string() : zone.error().message;
  };
  CHECK_THAT(fault("PK\3\4"), ContainsSubstring("not a TZif file"));
  CHECK_THAT(fault(Block('\0', {{5, 1}}, 1)), ContainsSubstring("leap seconds"));
  CHECK_THAT(fault(Block('\0', {{5, 1}, {5, 2}})), ContainsSubstring("damaged"));
  CHECK_THAT(fault(Block('\0', {{5, 26 * 3600}})), ContainsSubstring("damaged"));
  const auto berlin = BytesOf("Europe/Berlin");
  CHECK(fault(berlin).empty());
  for (std::size_t size = 0; size < berlin.size(); ++size) {
    CAPTURE(size);
    REQUIRE_FALSE(fault(berlin.substr(0, size)).empty());
  }
  for (const auto seed : Seeds(3000)) {
    Chance chance(seed);
    auto bytes = berlin;
    for (int i = chance.Pick(1, 4); i > 0; --i) {
      const auto at = static_cast<std::size_t>(chance.Pick(0, static_cast<int>(bytes.size()) - 1));
      bytes[at] = static_cast<char>(chance.Pick(0, 255));
    }
    CAPTURE(seed);
    if (const auto zone = Zone::Parse(bytes)) {
      const auto time = RandomTime(chance);
      const auto span = zone->At(time);
      REQUIRE(span.begin <= time);
      REQUIRE(time < span.end);
      REQUIRE(zone->LatestLocal(time) >= zone->Local(time));
      REQUIRE(zone->FirstAt(zone->Local(time)) <= time);
    }
  }
}

}  // namespace
}  // namespace tower::schedule
