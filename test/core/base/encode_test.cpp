#include "core/base/encode.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <utility>

namespace tower {
namespace {

// RFC 4648, section 10.
TEST_CASE("base64 is what the standard says, and nothing else is read", "[encode]") {
  const std::pair<std::string, std::string> pairs[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"},
                                                       {std::string("\x00\xff\xfe", 3), "AP/+"}};
  for (const auto& [bytes, text] : pairs) {
    CHECK(Base64Encode(bytes) == text);
    CHECK(Base64Decode(text) == bytes);
  }
  for (const auto* text : {"Z", "Zg", "Zg=", "Zg===", "=", "====", "Zh==", "Zm9=", "Zm9v\n", "Zm 9",
                           "Zm9v====", "Z=g=", "Zg==Zg==", "AP_-", "Zm9\xc3"}) {
    INFO(text);
    CHECK_FALSE(Base64Decode(text));
  }
}

TEST_CASE("hexadecimal digits are read in either case and in pairs", "[encode]") {
  CHECK(HexEncode(std::string("\x00\x1f\xAB", 3)) == "001fab");
  CHECK(HexDecode("001FaB") == std::string("\x00\x1f\xab", 3));
  CHECK(HexDecode("") == "");
  for (const auto* text : {"0", "0g", "G0", " 00", "0x00", "@0", "`0", "\xc3\xa4"}) {
    CHECK_FALSE(HexDecode(text));
  }
}

TEST_CASE("percent-encoding keeps what is unreserved and reads escapes in either case",
          "[encode]") {
  CHECK(PercentEncode("aZ09-._~") == "aZ09-._~");
  CHECK(PercentEncode("a/b c%?\xC2\xB5\x7F") == "a%2Fb%20c%25%3F%C2%B5%7F");
  CHECK(PercentDecode("a%2fb%2F+%41") == "a/b/+A");
  CHECK(PercentDecode("") == "");
  for (const auto* text : {"%", "%4", "%4g", "%g4", "a%", "%%41", "%00", "%u0041"}) {
    INFO(text);
    CHECK_FALSE(PercentDecode(text));
  }
  std::string all;
  for (int byte = 1; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(PercentDecode(PercentEncode(all)) == all);
}

TEST_CASE("letters are those of ASCII, whatever the locale", "[encode]") {
  CHECK(ToLower("AZ@[az\xC3\x84") == "az@[az\xC3\x84");
  CHECK(EqualsIgnoringCase("Content-Type", "cONTENT-tYPE"));
  CHECK(EqualsIgnoringCase("", ""));
  for (const auto* other : {"content_type", "content-typ", "content-types", ""}) {
    CHECK_FALSE(EqualsIgnoringCase("Content-Type", other));
  }
  CHECK_FALSE(EqualsIgnoringCase("@", "`"));
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    CHECK(IsLetter(c) == ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')));
    CHECK(IsTokenByte(c) ==
          (IsLetter(c) || IsDigit(c) ||
           (c != '\0' && std::string("!#$%&'*+-.^_`|~").find(c) != std::string::npos)));
  }
  CHECK(IsToken("x-y"));
  CHECK_FALSE(IsToken(""));
  CHECK_FALSE(IsToken("x y"));
}

TEST_CASE("blanks are trimmed at both ends and nowhere else", "[encode]") {
  CHECK(Trim(" \t a b\t ") == "a b");
  CHECK(Trim("a") == "a");
  CHECK(Trim(" \t ").empty());
  CHECK(Trim("").empty());
  CHECK(Trim("\na ") == "\na");
  CHECK(Trim("\na ", " \n") == "a");
}

}  // namespace
}  // namespace tower
