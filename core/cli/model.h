/* model.h - the parts of `hone model` that run the model; model.c is the verb itself. */
#ifndef HONE_CORE_CLI_MODEL_H
#define HONE_CORE_CLI_MODEL_H

int hone__cli_model_logprobs(int argc,
                             char **argv); /* argv[0] = "logprobs"; returns the exit code */
int hone__cli_model_export(int argc, char **argv);
#endif
