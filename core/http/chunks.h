// The framing of a chunked body (RFC 9112, section 7.1), byte by byte. Extensions and trailers are
// read by the grammar, since another reader on the way may see the end of a chunk in a faulty one,
// and mean nothing here. cpp-httplib is not asked: 0.41.0 takes `0x3` and `-3` for sizes.
#ifndef CORE_HTTP_CHUNKS_H_
#define CORE_HTTP_CHUNKS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tower {

class HttpChunks {
 public:
  // How many of the bytes to come may be passed to Accept at once: the rest of a chunk, else 1; 0
  // at the end of the body.
  std::uint64_t Next() const noexcept;
  // False: this is not a chunked body. `bytes` has at most Next() bytes.
  bool Accept(std::string_view bytes) noexcept;
  // What comes next is of the body itself, not of its framing.
  bool in_data() const noexcept { return state_ == State::kData; }
  bool done() const noexcept { return state_ == State::kDone; }

 private:
  // Named for what may come next.
  enum class State {
    kSize,
    kExtension,       // behind the size or a quoted value: ';' or the end of the line
    kExtensionSpace,  // the same, but white space has come: ';'
    kNameStart,       // of an extension
    kName,
    kNameSpace,  // behind a name: '=' or ';'
    kValueStart,
    kValue,
    kQuoted,
    kEscaped,  // within a quoted value, behind a backslash
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
  std::uint64_t size_ = 0;   // of the chunk, or what is left of it
  std::size_t digits_ = 0;   // of size_
  std::size_t ignored_ = 0;  // bytes of extensions and trailers
};

}  // namespace tower

#endif  // CORE_HTTP_CHUNKS_H_
