#include "controlplane/sip/message.h"

#include <algorithm>
#include <utility>

#include "controlplane/sip/sip_text.h"

namespace linegate::sip {

std::optional<std::string_view> Message::Get(std::string_view name) const {
  for (const HeaderField& field : headers) {
    if (EqualsIgnoreCase(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::vector<std::string_view> Message::GetAll(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const HeaderField& field : headers) {
    if (EqualsIgnoreCase(field.name, name)) values.push_back(field.value);
  }
  return values;
}

void Message::Set(std::string_view name, std::string value) {
  const auto named = [name](const HeaderField& field) { return EqualsIgnoreCase(field.name, name); };
  const auto first = std::find_if(headers.begin(), headers.end(), named);
  if (first == headers.end()) {
    Add(name, std::move(value));
    return;
  }
  first->value = std::move(value);
  headers.erase(std::remove_if(first + 1, headers.end(), named), headers.end());
}

void Message::Add(std::string_view name, std::string value) {
  headers.push_back({std::string(name), std::move(value)});
}

void Message::Remove(std::string_view name) {
  std::erase_if(headers, [name](const HeaderField& field) { return EqualsIgnoreCase(field.name, name); });
}

}  // namespace linegate::sip
