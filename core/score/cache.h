/* cache.h - outcomes of PURE components, remembered from run to run.
 *
 * One SQLite file (by default outcomes.sqlite in hone's cache folder, which several processes may use at once).
 * The key of an outcome is a SHA-256 over the spec (component, sha256 of the plugin's file, settings) and over
 * the members of the sample that the component wants; the ids of sample and group are no part of it, and
 * cannot be wanted of a component whose answers depend on nothing else. Scores and abstentions are kept, with notes
 * and token scores; errors and time-outs never are. A file that cannot be read or written costs speed only:
 * it is said once, and nothing is remembered. All calls [any-thread]. */
#ifndef HONE_CORE_SCORE_CACHE_H
#define HONE_CORE_SCORE_CACHE_H
#include "base/arena.h"
#include "score/score.h"

enum { HONE_SCORE_KEY = 32 }; /* bytes */

typedef struct hone_score_cache hone_score_cache;
/* `path`: made where it is not there. max_rows 0: a million; past it the oldest half is dropped when opening. */
hone_status hone_score_cache_open(const char *path, uint64_t max_rows, hone_score_cache **out);
void hone_score_cache_close(hone_score_cache *c); /* NULL is allowed */
/* `config`: the settings as text; `sha256` of the plugin's file, as hex. */
void hone_score_cache_spec(const char *component_id, const char *sha256, hone_str config,
                           char out[65]);
hone_status hone_score_cache_key(const char *spec, const char *const *wants,
                                 const hone_sample *sample, unsigned char key[HONE_SCORE_KEY]);
/* 1: there is one, in `out`, its texts in `arena`. 0: there is none (or the file failed). */
int hone_score_cache_get(hone_score_cache *c, const unsigned char key[HONE_SCORE_KEY],
                         hone_arena *arena, hone_score_result *out);
void hone_score_cache_put(hone_score_cache *c, const unsigned char key[HONE_SCORE_KEY],
                          const hone_score_result *r);
#endif
