/* tokenizer_files.h - the files of a tokenizer that has no tokenizer.json, as a description. */
#ifndef HONE_CORE_NN_TOKENIZER_FILES_H
#define HONE_CORE_NN_TOKENIZER_FILES_H
#include "base/arena.h"
#include "hone/base.h"

/* Is this a file that a tokenizer may consist of, by its name (a path's last part)? */
int hone_tokenizer_file(const char *path);

/* *files becomes the map "files" of hone/tokenizer.h: the tokenizer files of `folder` (only == NULL), or the one
 * file `only` and, where it cannot stand alone, those beside it. *n: how many; 0 leaves *files untouched.
 * Texts and trees live in the arena. E_LIMIT: a file past 256 MiB. [any-thread] */
hone_status hone_tokenizer_files(const char *folder, const char *only, hone_arena *arena,
                                 hone_value *files, size_t *n);
#endif
