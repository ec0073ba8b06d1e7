/* key.h - what a component is, as a hash: a record of the gate holds for one key, and another key is another judge.
 *
 * In it: component id and version, the SHA-256 of its file, its settings without secrets, the components inside it (recursively, by
 * their own keys), and, of a judge that tells one, its spec, which holds rubric, prompt, model and decoding. A setting that names a
 * file counts by what is in the file, or, of a judge that tells a spec, by what the spec says of it; so a moved folder is the same
 * judge and an edited rubric is another one.
 *
 * A reward that is asked as a judge too (it offers hone.judge/1) counts as the judge of its name in its file.
 *
 * A component written in Lua has no file of its own; it has a key only where it tells a spec (as juries and the like do).
 * Key of a composition: its kind and its spec. Source: judges.md sections 1 and 9. */
#ifndef HONE_CORE_JUDGE_KEY_H
#define HONE_CORE_JUDGE_KEY_H
#include "base/buf.h"
#include "host/registry.h"

/* 1 and the key; 0 where it has none (*key is ""). The JSON that was hashed goes to `json` unless that is NULL.
 * [control-thread] */
hone_status hone_judge_key(hone_instance *inst, char key[65], hone_buf *json);
/* The judge's spec as text, good until destroy; {NULL,0}: it tells none. */
hone_str hone_judge_spec(hone_instance *inst);
#endif
