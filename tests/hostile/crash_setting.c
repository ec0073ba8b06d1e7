/* Divides by a setting.
 * validate: instance.bounds crash by = 0, its smallest
 * score: survives */
#define FIELDS HONE_INT("by", 3, 0, 9, 0, "what is divided by"),
#define ON_CALL my->count = 100 / (uint64_t)my->cfg->i64(my->cfg, 0);
#include "hostile.h"
