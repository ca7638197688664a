#include "core/amqp/table.h"

#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <string_view>

#include "core/amqp/library.h"
#include "core/json/json.h"

namespace tower {
namespace {

constexpr int kDeepest = 32;

void AppendValue(std::string& out, const amqp_field_value_t& field, int depth);

template <typename T>
void AppendNumber(std::string& out, T value) {
  std::array<char, 32> text;
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), written.ptr);
}

template <typename T>
void AppendReal(std::string& out, T value) {
  if (std::isfinite(value)) {
    AppendNumber(out, value);
  } else {
    out += "null";
  }
}

void AppendTable(std::string& out, const amqp_table_t& table, int depth) {
  std::set<std::string_view> seen;
  char separator = '{';
  for (int i = 0; i < table.num_entries; ++i) {
    const auto& entry = table.entries[i];
    if (!seen.insert(AmqpView(entry.key)).second) continue;
    out += separator;
    separator = ',';
    AppendJsonString(out, AmqpView(entry.key));
    out += ':';
    AppendValue(out, entry.value, depth);
  }
  if (separator == '{') out += '{';
  out += '}';
}

void AppendArray(std::string& out, const amqp_array_t& array, int depth) {
  out += '[';
  for (int i = 0; i < array.num_entries; ++i) {
    if (i > 0) out += ',';
    AppendValue(out, array.entries[i], depth);
  }
  out += ']';
}

void AppendValue(std::string& out, const amqp_field_value_t& field, int depth) {
  const auto& value = field.value;
  switch (field.kind) {
    case AMQP_FIELD_KIND_BOOLEAN:
      out += value.boolean != 0 ? "true" : "false";
      return;
    case AMQP_FIELD_KIND_I8:
      return AppendNumber(out, static_cast<int>(value.i8));
    case AMQP_FIELD_KIND_U8:
      return AppendNumber(out, static_cast<unsigned>(value.u8));
    case AMQP_FIELD_KIND_I16:
      return AppendNumber(out, value.i16);
    case AMQP_FIELD_KIND_U16:
      return AppendNumber(out, value.u16);
    case AMQP_FIELD_KIND_I32:
      return AppendNumber(out, value.i32);
    case AMQP_FIELD_KIND_U32:
      return AppendNumber(out, value.u32);
    case AMQP_FIELD_KIND_I64:
      return AppendNumber(out, value.i64);
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
      return AppendNumber(out, value.u64);
    case AMQP_FIELD_KIND_F32:
      return AppendReal(out, value.f32);
    case AMQP_FIELD_KIND_F64:
      return AppendReal(out, value.f64);
    case AMQP_FIELD_KIND_DECIMAL:
      // Signed in RabbitMQ's grammar and in practice, although the library declares it unsigned.
      AppendNumber(out, static_cast<std::int32_t>(value.decimal.value));
      out += "e-";
      return AppendNumber(out, static_cast<unsigned>(value.decimal.decimals));
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
      return AppendJsonString(out, AmqpView(value.bytes));
    default:
      break;
  }
  if (field.kind == AMQP_FIELD_KIND_TABLE && depth < kDeepest) {
    AppendTable(out, value.table, depth + 1);
  } else if (field.kind == AMQP_FIELD_KIND_ARRAY && depth < kDeepest) {
    AppendArray(out, value.array, depth + 1);
  } else {
    out += "null";
  }
}

}  // namespace

std::string AmqpTableJson(const amqp_table_t& table) {
  std::string out;
  AppendTable(out, table, 1);
  return out;
}

}  // namespace tower
