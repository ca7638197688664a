// Version, compiler and libraries of this binary: shown by `control-tower --version --verbose`, GET
// /version and the build_info metric.
#ifndef CORE_BASE_BUILD_INFO_H_
#define CORE_BASE_BUILD_INFO_H_

#include <span>
#include <string_view>

namespace tower {

// A third-party library that is linked into this binary.
struct Component {
  std::string_view name;
  std::string_view version;
  std::string_view licence;  // SPDX expression
  std::string_view origin;   // the package or commit that it was built from
};

struct BuildInfo {
  std::string_view version;  // semantic version of control-tower
  // 12 hexadecimal digits, followed by "-dirty" for uncommitted changes; "unknown" outside git.
  std::string_view commit;
  std::string_view compiler;    // "GNU 12.2.0"
  std::string_view build_type;  // "Release"; with sanitizers "Release (address,undefined)"
  std::span<const Component> components;
};

// Constant, generated when the build is configured. Thread-safe; valid for the life of the process.
const BuildInfo& GetBuildInfo();

}  // namespace tower

#endif  // CORE_BASE_BUILD_INFO_H_
