// The options of the webhook watcher.
#ifndef PLUGINS_WEBHOOK_SETTINGS_H_
#define PLUGINS_WEBHOOK_SETTINGS_H_

#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/json/pointer.h"
#include "core/options/options.h"
#include "plugins/webhook/delivery.h"
#include "plugins/webhook/verify.h"

namespace tower::webhook {

// Where the id of a delivery is.
struct IdPlace {
  std::vector<std::string> headers;    // the first that exists; lower case
  std::optional<JsonPointer> pointer;  // or a place in the body
};

struct Settings {
  VerifyOptions verify;
  std::string id;
  std::vector<std::string> allowed_origins;

  void Declare(OptionSet& options);
  IdPlace PlaceOfId() const;
};

}  // namespace tower::webhook

#endif  // PLUGINS_WEBHOOK_SETTINGS_H_
