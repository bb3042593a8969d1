int COpenSSL_skeleton(void){return 0;}
