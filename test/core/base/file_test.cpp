#include "core/base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <thread>
#include <utility>

#include "test/support/temp_dir.h"

namespace tower {
namespace {

TEST_CASE("a small file is read whole, and a larger one is refused", "[small_file]") {
  const TempDir dir;
  for (const auto size : {std::size_t{0}, std::size_t{1}, std::size_t{5000}, kMaxSmallFile}) {
    const auto path = dir.Write("f", std::string(size, 'x'));
    CHECK(ReadRegularFile(path).value().text.size() == size);
    CHECK(ReadFileOrPipe(path).value().size() == size);
  }
  const auto large = dir.Write("f", std::string(kMaxSmallFile + 1, 'x'));
  CHECK(ReadRegularFile(large).error().message == "larger than 1 MiB");
  CHECK(ReadFileOrPipe(large).error().message == "read " + large + ": larger than 1 MiB");
  CHECK_FALSE(ReadRegularFile("/dev/zero"));
  CHECK_FALSE(ReadFileOrPipe("/dev/zero"));
}

TEST_CASE("a pipe is read until its writer closes it, where one is allowed", "[small_file]") {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const Fd output(ends[0]);
  const auto path = "/proc/self/fd/" + std::to_string(ends[0]);
  CHECK_FALSE(ReadRegularFile(path));
  std::thread writer([end = ends[1]] {
    const Fd input(end);
    for (int i = 0; i < 3; ++i) {
      if (write(input.get(), "abc", 3) != 3) return;
    }
  });
  const auto text = ReadFileOrPipe(path);
  writer.join();
  CHECK(text.value() == "abcabcabc");
}

TEST_CASE("a descriptor has one owner", "[small_file]") {
  Fd a(open("/dev/null", O_RDONLY | O_CLOEXEC));
  REQUIRE(a);
  const int number = a.get();
  Fd b(std::move(a));
  CHECK_FALSE(a);  // NOLINT(bugprone-use-after-move)
  CHECK(b.get() == number);
  Fd c(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int other = c.get();
  c = std::move(b);
  CHECK(fcntl(other, F_GETFD) == -1);
  CHECK(c.Release() == number);
  CHECK_FALSE(c);
  CHECK(close(number) == 0);
}

}  // namespace
}  // namespace tower
