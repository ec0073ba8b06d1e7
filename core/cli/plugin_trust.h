/* plugin_trust.h - the verbs of `hone plugin` about keys, trust and packages. Each returns the exit code. */
#ifndef HONE_CORE_CLI_PLUGIN_TRUST_H
#define HONE_CORE_CLI_PLUGIN_TRUST_H

int hone_cli_plugin_keygen(int argc, char **argv);  /* [control-thread] */
int hone_cli_plugin_sign(int argc, char **argv);    /* [control-thread] */
int hone_cli_plugin_verify(int argc, char **argv);  /* [control-thread] */
int hone_cli_plugin_trust(int argc, char **argv);   /* [control-thread] */
int hone_cli_plugin_revoke(int argc, char **argv);  /* [control-thread] */
int hone_cli_plugin_pack(int argc, char **argv);    /* [control-thread] */
int hone_cli_plugin_install(int argc, char **argv); /* [control-thread] */
int hone_cli_plugin_lock(int argc, char **argv);    /* [control-thread] */
/* plugin_quarantine.c */
int hone_cli_plugin_quarantine(int argc, char **argv); /* [control-thread] */
#endif
