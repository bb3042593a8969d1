int CCurl_skeleton(void){return 0;}
