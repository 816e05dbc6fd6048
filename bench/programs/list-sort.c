/* A linked list, sorted by merging. */
#include "runtime.h"

enum { COUNT = 4096 };

struct node {
  struct node *next;
  u32 key;
};
static struct node pool[COUNT];

APART static struct node *merge(struct node *a, struct node *b) {
  struct node head, *last = &head;
  while (a && b) {
    struct node **least = a->key <= b->key ? &a : &b;
    last = last->next = *least;
    *least = last->next;
  }
  last->next = a ? a : b;
  return head.next;
}

static struct node *sorted(struct node *list) {
  if (!list || !list->next) return list;
  struct node *middle = list;
  for (struct node *fast = list->next; fast && fast->next; fast = fast->next->next) middle = middle->next;
  struct node *rest = middle->next;
  middle->next = 0;
  return merge(sorted(list), sorted(rest));
}

u32 work(u32 times) {
  u32 sum = 0;
  while (times--) {
    for (int n = 0; n < COUNT; n++) pool[n] = (struct node){n + 1 < COUNT ? &pool[n + 1] : 0, next_number()};
    u32 place = 0;
    for (struct node *one = sorted(pool); one; one = one->next) sum = sum * 31 + (one->key ^ place++);
  }
  return sum;
}
