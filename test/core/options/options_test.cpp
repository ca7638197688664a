#include "core/options/options.h"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using std::chrono::milliseconds;

template <typename T>
bool Refuses(std::string_view text) {
  return !OptionCodec<T>::Parse(text).has_value();
}

TEST_CASE("durations and sizes are read and written with their unit", "[options]") {
  using Duration = OptionCodec<milliseconds>;
  CHECK(Duration::Parse("500ms").value() == milliseconds(500));
  CHECK(Duration::Parse("10s").value() == milliseconds(10'000));
  CHECK(Duration::Parse("5m").value() == milliseconds(300'000));
  CHECK(Duration::Parse("2h").value() == milliseconds(7'200'000));
  CHECK(Duration::Parse("7d").value() == milliseconds(604'800'000));
  for (const auto* text : {"0s", "1ms", "1500ms", "90s", "1m", "1h", "1d", "7d"}) {
    CHECK(Duration::Format(Duration::Parse(text).value()) == text);
  }

  using Size = OptionCodec<ByteSize>;
  CHECK(Size::Parse("512").value() == ByteSize{512});
  CHECK(Size::Parse("64KiB").value() == ByteSize{65536});
  CHECK(Size::Parse("1GiB").value() == ByteSize{1ULL << 30});
  for (const auto* text : {"0", "1", "1KiB", "1536KiB", "1MiB", "1GiB", "2TiB"}) {
    CHECK(Size::Format(Size::Parse(text).value()) == text);
  }
}

TEST_CASE("a value that is almost right is refused", "[options]") {
  for (const auto* text : {"", "10", "s", "-1s", "+1s", "1.5s", "10 s", "10s ", "10S",
                           "9223372036854775807d", "99999999999999999999ms"}) {
    CAPTURE(text);
    CHECK(Refuses<milliseconds>(text));
  }
  for (const auto* text : {"", "KiB", "-1", "1kib", "1MB", "1 MiB", "9223372036854775807KiB"}) {
    CAPTURE(text);
    CHECK(Refuses<ByteSize>(text));
  }
  for (const auto* text : {"", "1x", "0x10", " 1", "1 ", "1.0", "9223372036854775808"}) {
    CAPTURE(text);
    CHECK(Refuses<std::int64_t>(text));
  }
  for (const auto* text : {"", "yes", "1", "True"}) CHECK(Refuses<bool>(text));
}

TEST_CASE("one declaration gives flag, variable, default and rule", "[options]") {
  ByteSize size{1 << 20};
  OptionSet core;
  const auto& option =
      core.Add("server.max-body", &size, "Larger bodies get 413.").Range(1024, 1 << 30);
  CHECK(option.Flag() == "--server.max-body");
  CHECK(option.Variable() == "CONTROL_TOWER_SERVER_MAX_BODY");
  CHECK(option.default_text() == "1MiB");
  CHECK(option.type() == "size");
  CHECK(option.help() == "Larger bodies get 413.");
  CHECK(option.Rule() == "a size such as 512, 64KiB, 1MiB or 1GiB, from 1KiB to 1GiB");
  CHECK_FALSE(option.was_set());

  std::string path;
  OptionSet watcher("plugin.in-box");
  CHECK(watcher.Add("path", &path, "").Flag() == "--plugin.in-box.path");
  CHECK(watcher.all().front().Variable() == "PLUGIN_IN_BOX_PATH");
}

TEST_CASE("a refused value changes nothing, and the error names value and rule", "[options]") {
  std::int64_t port = 8000;
  OptionSet options;
  auto& option = options.Add("server.port", &port, "").Range(0, 65535);
  const auto status = option.Set({"70000"});
  REQUIRE_FALSE(status);
  CHECK(status.error().code == ErrorCode::kInvalid);
  CHECK(status.error().message == R"(must be a whole number, from 0 to 65535, but is "70000")");
  CHECK(port == 8000);
  CHECK_FALSE(option.was_set());
  CHECK_FALSE(option.Set({"1", "2"}));
  CHECK_FALSE(option.Set({}));

  REQUIRE(option.Set({"65535"}));
  CHECK(port == 65535);
  CHECK(option.was_set());
  CHECK(option.Shown() == "65535");
}

TEST_CASE("a range holds for durations and sizes too", "[options]") {
  milliseconds time{1000};
  ByteSize size;
  OptionSet options;
  auto& grace = options.Add("grace", &time, "").Range(1000, 60'000);
  CHECK_FALSE(grace.Set({"999ms"}));
  CHECK(grace.Set({"1m"}));
  CHECK_FALSE(grace.Set({"61s"}));
  auto& bytes = options.Add("bytes", &size, "").Range(10, INT64_MAX);
  CHECK_FALSE(bytes.Set({"9"}));
  CHECK(bytes.Set({"10"}));
  CHECK(bytes.Rule() == "a size such as 512, 64KiB, 1MiB or 1GiB, at least 10");
}

TEST_CASE("lists take several values and are stored whole or not at all", "[options]") {
  std::vector<std::string> paths{"a"};
  std::vector<std::int64_t> numbers;
  OptionSet options;
  auto& path = options.Add("path", &paths, "").Required();
  CHECK(path.list());
  CHECK(path.Set({"x", "y"}));
  CHECK(paths == std::vector<std::string>{"x", "y"});
  CHECK_FALSE(path.Set({}));
  CHECK_FALSE(path.Set({"x", ""}));
  CHECK(paths.size() == 2);
  auto& number = options.Add("number", &numbers, "");
  CHECK_FALSE(number.Set({"1", "two"}));
  CHECK(numbers.empty());
  CHECK(number.Set({}));
}

TEST_CASE("one of a few words, or a text that is not empty", "[options]") {
  std::string broker = "amqp";
  std::string name;
  OptionSet options;
  auto& option = options.Add("broker", &broker, "").OneOf({"amqp", "stdout"});
  CHECK_THAT(option.Set({"kafka"}).error().message,
             ContainsSubstring(R"(must be one of amqp, stdout, but is "kafka")"));
  CHECK(option.Set({"stdout"}));
  CHECK_FALSE(options.Add("name", &name, "").NotEmpty().Set({""}));
  CHECK(options.Add("any", &name, "").Set({""}));
}

TEST_CASE("a secret is never shown", "[options]") {
  std::int64_t pin = 0;
  OptionSet options;
  auto& option = options.Add("pin", &pin, "").Secret();
  const auto status = option.Set({"hunter2"});
  REQUIRE_FALSE(status);
  CHECK(status.error().message == "must be a whole number");
  REQUIRE(option.Set({"1234"}));
  CHECK(option.Shown() == "***");
}

TEST_CASE("a value in a message stays on one line and is cut", "[options]") {
  std::int64_t number = 0;
  OptionSet options;
  auto& option = options.Add("number", &number, "");
  CHECK_THAT(option.Set({"1\n2\x1b"}).error().message, ContainsSubstring(R"("1\x0a2\x1b")"));
  CHECK(option.Set({std::string(5000, 'x')}).error().message.size() < 300);
}

// A watcher's options, as two configurations may differ in them.
struct Configured {
  OptionSet set{"plugin.w"};
  std::vector<std::string> paths = {"a", "b"};
  std::string key, script;
  milliseconds every{1000};
  Configured() {
    set.Add("path", &paths, "");
    set.Add("key", &key, "").Secret();
    set.Add("script", &script, "").File();
    set.Add("every", &every, "");
  }
  std::string With(std::size_t option, const std::vector<std::string>& texts) {
    REQUIRE(set.all()[option].Set(texts));
    return set.Fingerprint();
  }
};

TEST_CASE("options have one fingerprint exactly when their values are equal", "[options]") {
  const auto plain = Configured().set.Fingerprint();
  CHECK(Configured().set.Fingerprint() == plain);
  CHECK(Configured().With(0, {"a", "b"}) == plain);  // set to what it was by default
  CHECK(Configured().With(3, {"1000ms"}) == plain);  // written in another way
  CHECK(Configured().With(0, {"a,b"}) != plain);
  CHECK(Configured().With(0, {"ab"}) != plain);
  CHECK(Configured().With(0, {"b", "a"}) != plain);
  CHECK(Configured().With(1, {"k"}) != plain);
  CHECK(Configured().With(1, {"k"}) != Configured().With(1, {"l"}));
  CHECK(Configured().With(1, {"k"}) != Configured().With(2, {"k"}));
  CHECK_THAT(Configured().With(1, {"hunter2"}), !ContainsSubstring("hunter2"));
}

TEST_CASE("the content of a file that an option names is a part of its value", "[options]") {
  const TempDir folder;
  const auto file = folder / "map.lua";
  const auto now = [&file] { return Configured().With(2, {file}); };
  const auto missing = now();
  folder.Write("map.lua", "one");
  const auto one = now();
  CHECK(one != missing);
  folder.Write("map.lua", "two");
  CHECK(now() != one);
  folder.Write("map.lua", "one");
  CHECK(now() == one);
  folder.Write("other.lua", "one");
  CHECK(Configured().With(2, {folder / "other.lua"}) != one);
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(Configured().With(2, {folder / "pipe"}) != one);  // and does not wait for a writer
}

TEST_CASE("a rule is asked when what it reads is right, and the world when the rules are",
          "[options]") {
  OptionSet options("plugin.x");
  std::string one, two;
  options.Add("one", &one, "One.");
  options.Add("two", &two, "Two.");
  bool broken = false;
  const auto says = [](const std::string& text) {
    return [text]() -> Status { return Error{ErrorCode::kInvalid, text}; };
  };
  options.CheckWorld({"one", "two"}, says("world of both"));
  options.CheckWorld({"two"}, says("world of two"));
  options.Check({"one"}, [&broken]() -> Status {
    return broken ? Status(Error{ErrorCode::kInvalid, "one"}) : Ok();
  });
  const auto faults = [&options](std::set<std::string> refused, bool world) {
    std::vector<std::string> texts;
    for (const auto& fault : options.Faults(std::move(refused), world)) {
      texts.push_back(fault.message);
    }
    return texts;
  };
  using Texts = std::vector<std::string>;
  CHECK(faults({}, false).empty());
  CHECK(faults({}, true) == Texts{"world of both", "world of two"});
  CHECK(faults({"plugin.x.one"}, true) == Texts{"world of two"});
  CHECK(faults({"plugin.x.two"}, true).empty());
  broken = true;
  CHECK(faults({}, false) == Texts{"one"});
  CHECK(faults({}, true) == Texts{"one", "world of two"});
  CHECK(faults({"plugin.x.one"}, true) == Texts{"world of two"});
}

TEST_CASE("a rule that warns is no fault", "[options]") {
  std::string value;
  OptionSet options("plugin.x");
  options.Add("one", &value, "One.");
  options.Warn({"one"}, [&value]() -> Status {
    if (value.empty()) return Ok();
    return Error{ErrorCode::kInvalid, "one is unwise"};
  });
  CHECK(options.Warnings().empty());
  value = "x";
  REQUIRE(options.Warnings().size() == 1);
  CHECK(options.Warnings()[0].message == "one is unwise");
  CHECK(options.Faults({}, true).empty());
}

TEST_CASE("variables that set options are known by their names", "[options]") {
  for (const auto* ours : {"CONTROL_TOWER_AMQP_URL", "PLUGIN_LIMS_API_KEY", "PLUGIN_A_B_FILE"}) {
    CHECK(IsOurVariable(ours));
  }
  for (const auto* other : {"PATH", "PLUGINS", "CONTROL_TOWER", "MY_PLUGIN_X"}) {
    CHECK_FALSE(IsOurVariable(other));
  }
}

}  // namespace
}  // namespace tower
