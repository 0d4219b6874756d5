import type { Catalogue } from '@gantry/console-kit'

export const accessStrings: Catalogue = {
  en: {
    signIn: {
      title: 'Sign in to Gantry',
      subtitle: 'All your clusters, one console',
      tagline: 'Every cluster in reach, from one place.',
      taglineMore: 'See what runs, change it, follow it live: on this machine and on every cluster you bring along.',
      username: 'User name',
      password: 'Password',
      passwordHint: 'The first password was printed when Gantry started, and stands in the file initial-password of its data folder.',
      submit: 'Sign in',
      refused: 'Sign-in refused',
      failed: 'Sign-in failed',
    },
  },
  zh: {
    signIn: {
      title: '登录龙门 Gantry',
      subtitle: '一个控制台，管理所有集群',
      tagline: '所有集群，尽在掌握。',
      taglineMore: '查看、变更、实时跟踪：无论在这台机器上，还是在你接入的每个集群上。',
      username: '用户名',
      password: '密码',
      passwordHint: '初始密码在 Gantry 启动时打印，也保存在数据目录的 initial-password 文件中。',
      submit: '登录',
      refused: '登录被拒绝',
      failed: '登录失败',
    },
  },
}
