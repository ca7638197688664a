#include "plugins/webhook/settings.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/base/encode.h"

namespace tower::webhook {
namespace {

Error Invalid(std::string message) { return {ErrorCode::kInvalid, std::move(message)}; }

// An option that only some schemes use must not be set for another.
void OnlyFor(OptionSet& options, const Option& option, std::string_view name,
             const std::function<bool()>& fits, std::string what) {
  options.Check({name, "verify"}, [&option, fits, what = std::move(what)]() -> Status {
    if (!option.was_set() || fits()) return Ok();
    return Invalid(what);
  });
}

void DeclareHmac(OptionSet& options, VerifyOptions& verify) {
  const auto is_hmac = [&verify] { return verify.scheme == "hmac"; };
  const auto declare = [&](std::string_view name, std::string* value,
                           std::string_view help) -> Option& {
    auto& option = options.Add(name, value, help);
    OnlyFor(options, option, name, is_hmac, std::string(name) + " is for verify=hmac");
    return option;
  };
  declare("hmac-header", &verify.hmac_header, "For `hmac`: name of the header with the signature.");
  declare("hmac-algorithm", &verify.hmac_algorithm, "For `hmac`: hash algorithm.")
      .OneOf({"sha256", "sha512", "sha1"});
  declare("hmac-encoding", &verify.hmac_encoding, "For `hmac`: encoding of the signature.")
      .OneOf({"hex", "base64"});
  declare("hmac-prefix", &verify.hmac_prefix,
          "For `hmac`: text in front of the signature in its header, such as `sha256=`.");
}

}  // namespace

void Settings::Declare(OptionSet& options) {
  options
      .Add("verify", &verify.scheme,
           "How senders are authenticated. `none` accepts deliveries from anyone.")
      .Required()
      .OneOf({"github", "gitlab", "standard-webhooks", "slack", "stripe", "hmac", "bearer", "basic",
              "none"});
  options
      .Add("secret", &verify.secrets,
           "Secret shared with the sender. During a change, several secrets, one per line.")
      .Secret();
  auto& user =
      options.Add("user", &verify.user, "For `basic`: the user name. The password is `secret`.");
  OnlyFor(
      options, user, "user", [this] { return verify.scheme == "basic"; },
      "user is for verify=basic");
  auto& tolerance = options
                        .Add("tolerance", &verify.tolerance,
                             "For `standard-webhooks`, `slack` and `stripe`: maximum difference "
                             "between now and the time at which a delivery was signed.")
                        .Range(1000, 86'400'000);
  OnlyFor(
      options, tolerance, "tolerance", [this] { return verify.has_timestamp(); },
      "tolerance is for verify=standard-webhooks, slack or stripe");
  DeclareHmac(options, verify);
  options.Add(
      "id", &id,
      "Where the id of a delivery is, by which repeats are recognized: name of a header, or JSON "
      "pointer into the body, such as `/data/id`. Default: where the sender puts it.");
  options.Add("allowed-origins", &allowed_origins,
              "CloudEvents origins (`WebHook-Request-Origin`) whose handshake is accepted; `*` "
              "accepts any.");
  options.Check({"verify", "secret"}, [this] { return verify.CheckSecret(); });
  options.Check({"verify", "user"}, [this] { return verify.CheckUser(); });
  options.Check({"verify", "hmac-header"}, [this] { return verify.CheckHeader(); });
  options.Check({"id"}, [this]() -> Status {
    const bool good =
        id.starts_with('/') ? JsonPointer::Parse(id).has_value() : id.empty() || IsHeaderName(id);
    return good ? Ok() : Invalid("id must be the name of a header, or a JSON pointer");
  });
}

IdPlace Settings::PlaceOfId() const {
  const std::string where = !id.empty()                 ? id
                            : verify.scheme == "slack"  ? "/event_id"
                            : verify.scheme == "stripe" ? "/id"
                            : verify.scheme == "github" ? "X-GitHub-Delivery"
                                                        : "Idempotency-Key";
  if (where.starts_with('/')) return {{}, JsonPointer::Parse(where)};
  if (id.empty() && verify.scheme == "standard-webhooks") return {{"webhook-id", "svix-id"}, {}};
  return {{ToLower(where)}, {}};
}

}  // namespace tower::webhook
