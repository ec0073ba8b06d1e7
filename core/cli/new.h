/* new.h - the verb that `hone plugin` takes from new.c. */
#ifndef HONE_CORE_CLI_NEW_H
#define HONE_CORE_CLI_NEW_H

/* `hone plugin new KIND NAME`: returns the exit code. [control-thread] */
int hone_cli_plugin_new(int argc, char **argv);
#endif
