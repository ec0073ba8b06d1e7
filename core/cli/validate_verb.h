/* validate_verb.h - the verbs that `hone plugin` takes from validate.c. */
#ifndef HONE_CORE_CLI_VALIDATE_VERB_H
#define HONE_CORE_CLI_VALIDATE_VERB_H

/* `hone plugin validate FILE`: returns the exit code. [control-thread] */
int hone_cli_plugin_validate(int argc, char **argv);
/* One test in this process, for its parent alone; does not return when it ran. [control-thread] */
int hone_cli_plugin_validate_one(int argc, char **argv);
#endif
