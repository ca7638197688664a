#include "core/digest.h"

#include <catch2/catch_test_macros.hpp>

namespace tower {
namespace {

// The examples of FIPS 180-2, appendix B.
TEST_CASE("sha-256 is what the standard says", "[digest]") {
  CHECK(Sha256Hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Sha256Hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace tower
