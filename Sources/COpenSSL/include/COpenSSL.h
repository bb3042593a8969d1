int COpenSSL_skeleton(void);
