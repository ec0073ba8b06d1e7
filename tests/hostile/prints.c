/* Prints to stdout.
 * validate: instance.manners fail wrote to stdout
 * score: survives */
#include <stdio.h>
#define ON_CALL printf("hello from the plugin\n");
#include "hostile.h"
