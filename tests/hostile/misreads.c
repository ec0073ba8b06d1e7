/* Reads a text setting as a number.
 * validate: instance.create fail text
 * score: survives */
#define FIELDS HONE_STR("text", "a", 0, "a text"),
#define ON_CREATE (void)cfg->f64(cfg, 0);
#include "hostile.h"
