// What names say: of activities and properties, which become names of protocols and parameters; of
// resources, which may be API versions; and of runs, which may be wells of a plate.
#ifndef PLUGINS_RIFFYN_NAMES_H_
#define PLUGINS_RIFFYN_NAMES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tower::riffyn {

// Words are what stands between anything but ASCII letters, digits and bytes beyond ASCII. They are
// joined, each with a capital; else they keep their case: `Serial dilution` -> `SerialDilution`.
std::string PascalCase(std::string_view text);

// The same, but the capitals that the first word begins with become small, save the last of several
// before a small letter: `Measurement wavelength` -> `measurementWavelength`, `OD600` -> `od600`,
// `DNAVolume` -> `dnaVolume`.
std::string CamelCase(std::string_view text);

// `Name/v1alpha1` or `Name/v1alpha1/device`. Name and device: ASCII letters, digits, `-`, `_` and
// `.`, a letter or digit first. The version: `v`, a number, and perhaps `alpha` or `beta` and a
// number. At most kMaxNameBytes.
bool IsApiVersion(std::string_view text);

// A run named `<name> [RxC] <n>`: well n of a plate of R rows and C columns. Numbers of any length;
// those beyond a million are a million.
struct Well {
  std::string plate;  // the name
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::uint32_t number = 0;

  // Whether there is such a plate (1 to 128 rows and columns), and such a well in it.
  bool Exists() const noexcept;
};
std::optional<Well> ParseWell(std::string_view run_name);

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_NAMES_H_
