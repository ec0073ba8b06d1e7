/* Prints to stderr.
 * validate: instance.manners fail wrote to stderr
 * score: survives */
#include <stdio.h>
#define ON_CALL fprintf(stderr, "hello from the plugin\n");
#include "hostile.h"
