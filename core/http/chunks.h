// Parses the framing of a chunked body (RFC 9112, section 7.1), byte by byte. Extensions and
// trailers are checked against the grammar and otherwise ignored; a malformed one could make an
// intermediary see the end of a chunk in another place (request smuggling). cpp-httplib is not used
// for this, because version 0.41.0 accepts `0x3` and `-3` as sizes.
#ifndef CORE_HTTP_CHUNKS_H_
#define CORE_HTTP_CHUNKS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tower {

class HttpChunks {
 public:
  // The number of bytes that may be passed to the next Accept: the rest of a chunk, else 1; 0 at
  // the end of the body.
  std::uint64_t Next() const noexcept;
  // Returns false if the framing is malformed. REQUIRES: `bytes` has at most Next() bytes.
  bool Accept(std::string_view bytes) noexcept;
  // The next byte belongs to the body itself, not to its framing.
  bool in_data() const noexcept { return state_ == State::kData; }
  bool done() const noexcept { return state_ == State::kDone; }

 private:
  // Named after what may come next.
  enum class State {
    kSize,
    kExtension,       // after the size or a quoted value: ';' or the end of the line
    kExtensionSpace,  // the same, after white space: ';'
    kNameStart,       // of an extension
    kName,
    kNameSpace,  // after a name: '=' or ';'
    kValueStart,
    kValue,
    kQuoted,
    kEscaped,  // in a quoted value, after a backslash
    kSizeFeed,
    kData,
    kDataReturn,
    kDataFeed,
    kTrailerStart,
    kTrailerName,
    kTrailerValue,
    kTrailerFeed,
    kLastFeed,
    kDone
  };
  bool AcceptSize(char c) noexcept;
  bool AcceptExtension(char c) noexcept;
  bool AcceptTrailer(char c) noexcept;
  bool Expect(char c, char wanted, State next) noexcept;
  bool Enter(State next) noexcept;

  State state_ = State::kSize;
  std::uint64_t size_ = 0;   // bytes of the chunk that are still to come
  std::size_t digits_ = 0;   // digits of size_ so far
  std::size_t ignored_ = 0;  // bytes of extensions and trailers so far
};

}  // namespace tower

#endif  // CORE_HTTP_CHUNKS_H_
