int CCurl_skeleton(void);
