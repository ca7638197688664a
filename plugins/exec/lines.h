// Splits a stream of bytes into lines.
#ifndef PLUGINS_EXEC_LINES_H_
#define PLUGINS_EXEC_LINES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tower::exec {

struct Line {
  std::uint64_t number = 0;  // from 1
  std::string text;          // without its end, CR LF or LF
  bool too_long = false;     // the text is truncated
};

class Lines {
 public:
  explicit Lines(std::size_t longest) : longest_(longest) {}

  // Appends bytes. Returns the lines that end in them, without empty ones.
  std::vector<Line> Take(std::string_view bytes);
  // The bytes after the last line feed.
  std::string_view rest() const noexcept { return rest_; }

 private:
  const std::size_t longest_;
  std::uint64_t number_ = 0;
  std::string rest_;
  bool too_long_ = false;
};

}  // namespace tower::exec

#endif  // PLUGINS_EXEC_LINES_H_
