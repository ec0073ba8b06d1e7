/* Leaves a thread behind.
 * validate: instance.manners fail left threads behind
 * score: survives */
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>
static void *stay(void *p)
{
    sleep(30);
    return p;
}
#define ON_CREATE                                                                                  \
    pthread_t id;                                                                                  \
    pthread_create(&id, NULL, stay, NULL);                                                         \
    pthread_detach(id);
#include "hostile.h"
