/* hf_int.h - what hf.c and peft.c share: a folder that appears whole or not at all. */
#ifndef HONE_CORE_NN_HF_INT_H
#define HONE_CORE_NN_HF_INT_H
#include "nn/hf.h"

/* Makes the folder *tmp beside `path`; E_EXISTS without HONE_HF_OVERWRITE. Both strings are _finish's to free. */
hone_status hone__hf_begin(const char *path, uint32_t flags, char **target, char **tmp);
/* s >= 0: *tmp takes the name; else it is removed. Frees both, which may be NULL, and returns what came of it. */
hone_status hone__hf_finish(hone_status s, char *target, char *tmp);
/* A file of the folder. E_NOMEM, E_LIMIT when the text had no room. */
hone_status hone__hf_put_text(const char *dir, const char *name, const hone_buf *text);
/* HONE_FT_* that such a folder is written in; keep: HONE_FT_COUNT too. */
hone_status hone__hf_check_type(uint32_t type, int keep);
#endif
