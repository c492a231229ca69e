// SPDX-License-Identifier: Apache-2.0
// What one value alone cannot tell: settings of an app that contradict each other, files and variables it
// takes from outside.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "spec/document.h"
#include "spec/env_file.h"
#include "spec/spec.h"

namespace svd::spec {

// An app as it stands in the file, after defaults and profile.
struct AppInFile {
  const Node& settings;
  const Node& key;     // its name, where complaints about what is missing point
  const Place& place;  // "apps.web"

  [[nodiscard]] const Node* find(
      std::string_view path) const;  // "restart.delay"; nullptr: not written, or null
};

// Env files and pass_env, asked for once a decode and kept in the source.
class Outside {
 public:
  Outside(Source& source, const Inputs& inputs) : source_{source}, inputs_{inputs} {}

  // Fills app.secret_env; `env` wins over env files, which win over pass_env.
  void add_secrets(const AppInFile& file, AppSpec& app, Complaints& complaints);

 private:
  // Bounds what 10,000 apps with one large env file each can make of a small ecosystem.
  static constexpr std::size_t most_secret_bytes = 64U << 20;

  const EnvFile& env_file(const std::string& path);
  void add_passed(const AppInFile& file, AppSpec& app, Complaints& complaints);
  // PATH, locale and the like of pass_env are no secrets.
  void publish(AppSpec& app);

  Source& source_;
  const Inputs& inputs_;
  std::map<std::string, EnvFile> parsed_;
  std::size_t secret_bytes_ = 0;
};

// A complaint at `path` if it is written in the file, else at the app's name.
void complain(const AppInFile& file, std::string_view path, std::string text, Complaints& out);

// Parts of check_app.
void check_listeners(const AppInFile& file, const AppSpec& app, Complaints& complaints);
void check_cluster(const AppInFile& file, AppSpec& app, Complaints& complaints);

// What Node itself makes of the command line of an app with `channel: node`.
void check_node(const AppInFile& file, const AppSpec& app, Complaints& complaints);
// ${NAME} in values: that it can be read, and that the app's environment has NAME.
void check_references(const AppInFile& file, const AppSpec& app, Complaints& complaints);

// Complains about contradictions and settles what one setting implies for another.
void check_app(const AppInFile& file, AppSpec& app, Complaints& complaints);

}  // namespace svd::spec
