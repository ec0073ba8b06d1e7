/* api_example.h - between api_example.c, which makes examples of rows, and api_train.c, which trains on them. */
#ifndef HONE_CORE_LUA_API_EXAMPLE_H
#define HONE_CORE_LUA_API_EXAMPLE_H
#include "lua/api.h"
#include "train/update.h"

/* A row as the trainer wants it: one sequence, or the two of a pair after their prompt. */
typedef struct hone__example {
    hone_arena arena;
    hone_train_tree tree;
    hone_train_seq seqs[2];
    size_t n_trained;
} hone__example;

/* The trees of the examples in the list at `index`, from *d on; groups are numbered by entry. */
hone_status hone__lua_examples(lua_State *L, int index, hone_arena *a, hone_train_tree **trees,
                               size_t *n);
/* core.example, core.example_info, core.topk */
void hone__lua_open_example(lua_State *L);
#endif
