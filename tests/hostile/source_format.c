/* A column of a format that nobody knows.
 * validate: instance.call fail is not read
 * data: refuses is not read */
#define ON_SCHEMA b->column[0].format = "%s%n+?";
#include "hostile_source.h"
