/* plugin_list.h - `hone plugin list` and `hone plugin inspect`. Each returns the exit code. */
#ifndef HONE_CORE_CLI_PLUGIN_LIST_H
#define HONE_CORE_CLI_PLUGIN_LIST_H

int hone_cli_plugin_list(int argc, char **argv);    /* [control-thread] */
int hone_cli_plugin_inspect(int argc, char **argv); /* [control-thread] */
#endif
