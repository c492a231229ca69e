// SPDX-License-Identifier: Apache-2.0
// The command line: one add_…() a verb, in its own file cmd_….cpp. Nothing here includes CLI11.
#pragma once

#include "cli/context.h"

namespace CLI {
class App;
}

namespace svd::cli {

void add_apply(CLI::App& root, Context& context);
void add_plan(CLI::App& root, Context& context);
void add_check(CLI::App& root, Context& context);
void add_explain(CLI::App& root, Context& context);
void add_run(CLI::App& root, Context& context);
void add_ls(CLI::App& root, Context& context);
void add_status(CLI::App& root, Context& context);
void add_logs(CLI::App& root, Context& context);
void add_events(CLI::App& root, Context& context);
void add_actions(CLI::App& root, Context& context);  // start, stop, restart, reload, delete
void add_steer(CLI::App& root, Context& context);    // pause, resume, abort
void add_send(CLI::App& root, Context& context);
void add_messages(CLI::App& root, Context& context);
void add_scale(CLI::App& root, Context& context);
void add_signal(CLI::App& root, Context& context);
void add_history(CLI::App& root, Context& context);
void add_rollback(CLI::App& root, Context& context);
void add_daemon(CLI::App& root, Context& context);
void add_startup(CLI::App& root, Context& context);
void add_completion(CLI::App& root, Context& context);

}  // namespace svd::cli
