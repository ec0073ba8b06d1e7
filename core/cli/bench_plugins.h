/* bench_plugins.h - nanoseconds of calls into components: what `hone bench plugins` and `hone plugin bench` share. */
#ifndef HONE_CORE_CLI_BENCH_PLUGINS_H
#define HONE_CORE_CLI_BENCH_PLUGINS_H
#include "host/registry.h"
#include "base/json.h"
#include "hone/reward.h"

/* Nanoseconds of one call: the best and the median of short windows. */
typedef struct hone_cli_ns {
    double min, median;
} hone_cli_ns;
typedef hone_status (*hone_cli_work)(void *arg);
/* Windows of about 100 us of calls (at least one call each) for about `seconds`, after a warm-up. Fails as the work. */
hone_status hone_cli_time(hone_cli_work work, void *arg, double seconds, hone_cli_ns *out);

enum { HONE_CLI_BATCHES = 4 };
extern const size_t hone_cli_batches[HONE_CLI_BATCHES]; /* 1 ... 256 samples */
/* Calls of one component by batch size. sample: what each sample beyond the first adds (from 1 to 64). */
typedef struct hone_cli_calls {
    hone_cli_ns call[HONE_CLI_BATCHES];
    hone_cli_ns sample;
} hone_cli_calls;

/* Samples (or items) of about `bytes` text each, the same at every run. */
typedef struct hone_cli_load hone_cli_load;
hone_status hone_cli_load_create(size_t bytes, hone_cli_load **out);
void hone_cli_load_free(hone_cli_load *l);
/* Calls hone.reward/1 or hone.judge/1 of the instance as the scorer does. E_UNSUPPORTED for other kinds. */
hone_status hone_cli_time_instance(hone_cli_load *l, hone_instance *inst, double seconds,
                                   hone_cli_calls *out);
/* The marshaller alone: to bytes, and back with checks; ns a sample at 64. */
hone_status hone_cli_time_wire(hone_cli_load *l, double seconds, hone_cli_ns *write,
                               hone_cli_ns *rebuild);
/* bench_lua.c: crossings between Lua and C. */
typedef struct hone_cli_lua_times {
    hone_cli_ns scalar, text;              /* Lua calls a C component: a number; 500 bytes */
    hone_cli_ns cross, number, completion; /* C calls a reward in Lua: ns a sample */
} hone_cli_lua_times;
hone_status hone_cli_time_lua(hone_registry *r, hone_cli_load *l, double seconds,
                              hone_cli_lua_times *out);
/* Lua calls a component in C, by batch size. */
hone_status hone_cli_time_from_lua(hone_registry *r, hone_instance *inst, double seconds,
                                   hone_cli_calls *out);
/* plugin_try.c: `hone plugin try`. */
int hone_cli_plugin_try(int argc, char **argv);
/* plugin_replay.c: `hone plugin replay`. */
int hone_cli_plugin_replay(int argc, char **argv);
/* `hone plugin bench`. */
int hone_cli_plugin_bench(int argc, char **argv);
const hone_sample *hone_cli_load_samples(const hone_cli_load *l);

void hone_cli_put_ns(hone_jw *w, const char *key, hone_cli_ns ns);
#endif
