// The implementation of OptionSet::Add; only core/options/options.h includes it.
#ifndef CORE_OPTIONS_OPTIONS_INL_H_
#define CORE_OPTIONS_OPTIONS_INL_H_

#include "core/options/options.h"

namespace tower::internal {

// The value as a number, for Option::Range. Other types have no overload.
inline std::int64_t NumberOf(std::int64_t value) { return value; }
inline std::int64_t NumberOf(std::chrono::milliseconds value) { return value.count(); }
inline std::int64_t NumberOf(ByteSize value) {
  constexpr std::uint64_t kMost = INT64_MAX;
  return static_cast<std::int64_t>(value.bytes < kMost ? value.bytes : kMost);
}
template <typename T>
concept NumberLike = requires(const T& value) {
  NumberOf(value);
}
&&!std::is_same_v<T, bool>;

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};

std::string Join(const std::vector<std::string>& texts, std::string_view separator);

}  // namespace tower::internal

namespace tower {

template <typename T>
Option& OptionSet::Add(std::string_view name, T* value, std::string_view help) {
  auto& option = options_.emplace_back();
  option.name_ = FullName(name);
  option.help_ = help;
  if constexpr (internal::IsVector<T>::value) {
    using Item = typename T::value_type;
    option.list_ = true;
    option.type_ = OptionCodec<Item>::kType;
    option.texts_ = [value] {
      std::vector<std::string> texts;
      for (const auto& item : *value) texts.push_back(OptionCodec<Item>::Format(item));
      return texts;
    };
    option.store_ = [value](const std::vector<std::string>& texts, const Option& self) -> Status {
      T items;
      for (const auto& text : texts) {
        if (auto fits = self.CheckText(text); !fits) return fits;
        auto item = OptionCodec<Item>::Parse(text);
        if (!item) return item.error();
        items.push_back(std::move(*item));
      }
      *value = std::move(items);
      return Ok();
    };
  } else {
    option.type_ = OptionCodec<T>::kType;
    option.boolean_ = std::is_same_v<T, bool>;
    option.texts_ = [value] { return std::vector{OptionCodec<T>::Format(*value)}; };
    option.store_ = [value](const std::vector<std::string>& texts, const Option& self) -> Status {
      if (auto fits = self.CheckText(texts.front()); !fits) return fits;
      auto parsed = OptionCodec<T>::Parse(texts.front());
      if (!parsed) return parsed.error();
      if constexpr (internal::NumberLike<T>) {
        if (auto fits = self.CheckNumber(internal::NumberOf(*parsed)); !fits) return fits;
      }
      *value = std::move(*parsed);
      return Ok();
    };
  }
  option.default_text_ = internal::Join(option.texts_(), ",");
  return option;
}

}  // namespace tower

#endif  // CORE_OPTIONS_OPTIONS_INL_H_
