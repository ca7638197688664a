#include "core/base/digest.h"

#include <catch2/catch_test_macros.hpp>
#include <initializer_list>
#include <string>

#include "core/base/encode.h"

namespace tower {
namespace {

// The examples of FIPS 180-2, appendix B.
TEST_CASE("sha-256 is what the standard says", "[digest]") {
  CHECK(Sha256Hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Sha256Hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// RFC 4231, section 4, and RFC 2202, section 3.
TEST_CASE("hmac is what the standards say", "[digest]") {
  struct Case {
    std::string key, data, sha1, sha256, sha512;
  };
  const std::initializer_list<Case> cases = {
      {std::string(20, '\x0b'), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
       "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
       "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
      {"Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
       "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
       "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
      {std::string(20, '\xaa'), std::string(50, '\xdd'), "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
       "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
       "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First", "",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
       "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
       "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
  };
  for (const auto& [key, data, sha1, sha256, sha512] : cases) {
    if (!sha1.empty()) CHECK(HexEncode(Hmac(DigestKind::kSha1, key, {data})) == sha1);
    CHECK(HexEncode(Hmac(DigestKind::kSha256, key, {data})) == sha256);
    CHECK(HexEncode(Hmac(DigestKind::kSha512, key, {data})) == sha512);
    const auto front = std::string_view(data).substr(0, 3);
    const auto back = std::string_view(data).substr(3);
    CHECK(HexEncode(Hmac(DigestKind::kSha256, key, {front, {}, back})) == sha256);
  }
  CHECK(HexEncode(Hmac(DigestKind::kSha256, {}, {})) ==
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("secrets are the same when every byte is", "[digest]") {
  CHECK(SameSecret("", ""));
  CHECK(SameSecret("abc", "abc"));
  for (const auto* other : {"", "a", "ab", "abd", "Abc", "abcd"})
    CHECK_FALSE(SameSecret("abc", other));
  CHECK_FALSE(SameSecret(std::string("abc\0", 4), "abc"));
}

}  // namespace
}  // namespace tower
