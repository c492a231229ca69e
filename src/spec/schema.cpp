// SPDX-License-Identifier: Apache-2.0
// The JSON Schema, read off the field table. It says what a schema can say; contradictions between settings
// and what `defaults` may supply are left to the decoder.
#include "spec/fields.h"
#include "spec/spec.h"

namespace svd::spec {
namespace {

// Every key may be null: as if it were not written.
Json nullable(Json schema) {
  if (auto* type = schema.find("type")) {
    if (type->is_array())
      type->push("null");
    else
      *type = Json::array({*type, "null"});
  }
  if (auto* values = schema.find("enum")) values->push(Json::null());
  return schema;
}

Json map_of(Json value) {
  return Json::object({{"type", "object"},
                       {"propertyNames", Json::object({{"pattern", name_pattern}})},
                       {"additionalProperties", std::move(value)}});
}

// `reference` or null.
Json nullable_reference(std::string_view description, const char* reference) {
  return Json::object(
      {{"description", description},
       {"anyOf", Json::array({Json::object({{"$ref", reference}}), Json::object({{"type", "null"}})})}});
}

Json closed_object(Json properties) {
  return Json::object(
      {{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}});
}

Json property(const Key& key) {
  const auto text = std::string{key.doc} + " (" + key.words + "; default: " + key.initial + ")";
  auto type =
      key.key == "exec" ? key.schema : nullable(key.schema);  // exec: null says nothing that anyone means
  type.set("description", text);
  return type;
}

// A key whose value may be a map of named things with keys of their own.
Json property(const Field& field) {
  if (field.entry.empty()) return property(static_cast<const Key&>(field));
  auto below = Json::object({});
  for (const auto& key : field.entry) below.set(key.key, property(key));
  auto named = property(static_cast<const Key&>(field));
  named.set("propertyNames", Json::object({{"pattern", name_pattern}}));
  named.set("additionalProperties", nullable(closed_object(std::move(below))));
  return named;
}

Json settings_schema() {
  auto properties = Json::object({});
  for (const auto& key : keys_below("")) {
    if (const auto* field = find_field(key)) {
      properties.set(key, property(*field));
      continue;
    }
    auto below = Json::object({});
    for (const auto& child : keys_below(key)) below.set(child, property(*find_field(key + "." + child)));
    auto section = nullable(closed_object(std::move(below)));
    section.set("description", find_section(key)->doc);
    properties.set(key, std::move(section));
  }
  return closed_object(std::move(properties));
}

std::string_view doc_of(std::string_view top) {
  for (const auto& key : top_keys())
    if (key.key == top) return key.doc;
  return "";
}

Json profile_schema() {
  auto apps = map_of(nullable_reference("Merged over the app of this name; null takes the app away.",
                                        "#/definitions/settings"));
  return closed_object(Json::object(
      {{"defaults", nullable_reference("Merged over the file's defaults.", "#/definitions/settings")},
       {"apps", nullable(std::move(apps))}}));
}

// Without profiles and without an exec in defaults, each app must have its own.
void require_exec(Json& root) {
  const auto required = [](const char* key) { return Json::object({{"required", Json::array({key})}}); };
  auto default_exec = Json::object({{"required", Json::array({"defaults"})},
                                    {"properties", Json::object({{"defaults", required("exec")}})}});
  root.set("if", Json::object({{"anyOf", Json::array({required("profiles"), std::move(default_exec)})}}));
  auto apps = Json::object({{"apps", Json::object({{"additionalProperties", required("exec")}})}});
  root.set("else", Json::object({{"properties", std::move(apps)}}));
}

}  // namespace

std::string json_schema() {
  auto version = Json::object({{"description", doc_of("version")},
                               {"type", Json::array({"integer", "null"})},
                               {"minimum", std::int64_t{1}},
                               {"maximum", std::int64_t{1}}});
  auto name = Json::object({{"description", doc_of("name")},
                            {"type", Json::array({"string", "null"})},
                            {"pattern", name_pattern}});
  auto profiles = nullable(map_of(nullable_reference("One variant.", "#/definitions/profile")));
  profiles.set("description", doc_of("profiles"));
  auto apps = map_of(Json::object({{"$ref", "#/definitions/settings"}}));
  apps.set("description", doc_of("apps"));

  auto root = Json::object(
      {{"$schema", "http://json-schema.org/draft-07/schema#"},
       {"title", "svd ecosystem"},
       {"description",
        "Apps for the svd process supervisor. Generated from src/spec/fields.cpp; do not edit."}});
  root.set("type", "object").set("additionalProperties", false).set("required", Json::array({"apps"}));
  root.set("properties",
           Json::object({{"version", std::move(version)},
                         {"name", std::move(name)},
                         {"defaults", nullable_reference(doc_of("defaults"), "#/definitions/settings")},
                         {"profiles", std::move(profiles)},
                         {"apps", std::move(apps)}}));
  require_exec(root);
  root.set("definitions", Json::object({{"settings", settings_schema()}, {"profile", profile_schema()}}));
  return root.dump() + "\n";
}

}  // namespace svd::spec
